import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { addressOfKey } from "../../src/crypto/address.ts";
import { fromBase64Url } from "../../src/crypto/bytes.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { BYTES_METER, segmentUnits } from "../../src/domain/job/meter.ts";
import { BYTES_ONLY } from "../../src/domain/job/meters.ts";
import { type Terms, termsHash } from "../../src/domain/job/terms.ts";
import { buildReceipt } from "../../src/domain/receipt/build.ts";
import { compareReceipt } from "../../src/domain/receipt/compare.ts";
import { receiptFromJson } from "../../src/domain/receipt/parse.ts";
import { verifyProgress } from "../../src/domain/receipt/progress.ts";
import { canonicalReceipt, verifyBlock } from "../../src/domain/receipt/sign.ts";
import { createSystemClock } from "../../src/kernel/clock.ts";
import { systemRandomBytes } from "../../src/kernel/ids.ts";
import { createLog } from "../../src/kernel/log.ts";
import { createMetrics } from "../../src/kernel/metrics.ts";
import { MinerConfig } from "../../src/roles/miner/config.ts";
import type { Engine } from "../../src/roles/miner/engines/engine.ts";
import { Miner } from "../../src/roles/miner/miner.ts";
import type { GpuProbe } from "../../src/roles/miner/probe/gpus.ts";
import { PlannedEngine } from "./planned-engine.ts";
import { type FrameOf, ScriptedCoordinator } from "./scripted-coordinator.ts";

export const silentLog = createLog({ level: "silent", format: "json", terminal: false });

/** A job id that differs from the one that `ScriptedCoordinator.offer` takes by itself. */
export const OTHER_JOB = `${"0".repeat(31)}2`;

/** A miner in a fresh directory, with a scripted coordinator before it and a planned engine behind it. */
export class MinerBench {
  readonly coordinator = new ScriptedCoordinator();
  readonly engine = new PlannedEngine();
  readonly metrics = createMetrics();
  /** What the daemon aborts when it begins to stop. */
  readonly stop = new AbortController();
  /** What the machine says of its GPUs. */
  probeGpus: () => Promise<GpuProbe> = async () => ({ gpus: [], cuda: null, attempts: [] });
  /** Whether the miner holds the lock on its directory. */
  locked = false;
  readonly directory: string;
  #miner: Miner | undefined;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<MinerBench> {
    return new MinerBench(await mkdtemp(join(tmpdir(), "miner-")));
  }

  get miner(): Miner {
    if (!this.#miner) throw new Error("start the miner first");
    return this.#miner;
  }

  /** Starts the miner. It is stopped without grace, unless the configuration says otherwise. */
  async start(
    config: Partial<MinerConfig> = {},
    createEngines: () => Promise<readonly Engine[]> = async () => [this.engine],
  ): Promise<void> {
    this.#miner = new Miner({
      config: MinerConfig.parse({ name: "tester", drain_seconds: 0, ...config }),
      link: this.coordinator.link,
      log: silentLog,
      metrics: this.metrics,
      clock: createSystemClock(),
      random: systemRandomBytes,
      meters: BYTES_ONLY,
      identityFile: join(this.directory, "miner", "identity.key"),
      lockDirectory: () => {
        this.locked = true;
        return {
          [Symbol.dispose]: () => {
            this.locked = false;
          },
        };
      },
      probeGpus: () => this.probeGpus(),
      createEngines,
    });
    await this.#miner.start(this.stop.signal);
  }

  /** Starts the miner and waits until it registers. */
  async open(config: Partial<MinerConfig> = {}): Promise<FrameOf<"register">> {
    await this.start(config);
    return this.coordinator.next("register");
  }

  async dispose(): Promise<void> {
    await this.#miner?.[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true });
  }

  get minerKey(): Uint8Array {
    return fromBase64Url("public_key", this.coordinator.all("register")[0]?.public_key ?? "");
  }

  /** Asserts that a completion's receipt is what the coordinator would build, and signed by this miner. */
  expectGoodReceipt(terms: Terms, complete: FrameOf<"complete">, prefix: string, text: string): void {
    const receipt = receiptFromJson(complete.receipt);
    const expected = buildReceipt(terms, {
      provider: addressOfKey(this.minerKey),
      endsJob: true,
      outcome: "completed",
      end_byte: Buffer.byteLength(prefix + text),
      delivered_units: segmentUnits(BYTES_METER, prefix, text),
      segment_sha256: sha256Hex(text),
      output_sha256: sha256Hex(prefix + text),
      completed_at: terms.started_at,
      duration_ms: 0,
    });
    expect(compareReceipt(expected, receipt)).toEqual([]);
    expect(receipt.signature?.key_id).toBe(this.coordinator.all("register")[0]?.public_key);
    expect(receipt.signature && verifyBlock(receipt.signature, canonicalReceipt(receipt))).toBe(true);
  }

  /** Asserts that all progress so far counts up, tells the truth about this output, and is signed by this miner. */
  expectGoodProgress(terms: Terms, output: string): void {
    let seq = 0;
    for (const { progress, signature } of this.coordinator.all("progress")) {
      const covered = Buffer.from(output).subarray(0, progress.bytes);
      expect(progress.seq).toBe(++seq);
      expect(progress.terms_hash).toBe(termsHash(terms));
      expect(progress.running_sha256).toBe(sha256Hex(covered));
      expect(progress.units).toBe(Math.ceil(progress.bytes / 4) - Math.ceil(terms.start_byte / 4));
      const bytes = fromBase64Url("signature", signature);
      expect(verifyProgress(progress, this.coordinator.realm, bytes, this.minerKey)).toBe(true);
    }
  }
}
