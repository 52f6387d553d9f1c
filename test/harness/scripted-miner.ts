import { onTestFinished } from "vitest";
import { createAppMeters } from "../../src/app/meters.ts";
import { openSessionChannel } from "../../src/client/session-channel.ts";
import { addressOfKey } from "../../src/crypto/address.ts";
import { fromBase64Url, toBase64Url, utf8Length } from "../../src/crypto/bytes.ts";
import { generateKeyPair, type KeyPair } from "../../src/crypto/ed25519.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { realmOfCoordinator } from "../../src/crypto/sign-bytes.ts";
import { segmentUnits } from "../../src/domain/job/meter.ts";
import { signSessionProof } from "../../src/domain/job/session-proof.ts";
import { termsHash } from "../../src/domain/job/terms.ts";
import { buildReceipt } from "../../src/domain/receipt/build.ts";
import type { Receipt } from "../../src/domain/receipt/fields.ts";
import { type Progress, signProgress } from "../../src/domain/receipt/progress.ts";
import { signReceipt } from "../../src/domain/receipt/sign.ts";
import type { Channel } from "../../src/kernel/channel.ts";
import {
  type CoordinatorFrame,
  decodeCoordinatorFrame,
  type MinerCapabilities,
  type MinerFrame,
  type Offer,
} from "../../src/wire/session.ts";
import type { TestDaemon } from "./daemon.ts";

export type FrameOf<T extends CoordinatorFrame["type"]> = Extract<CoordinatorFrame, { type: T }>;
type Register = Extract<MinerFrame, { type: "register" }>;
export type LeaseId = { readonly job_id: string; readonly token: number };

const METERS = createAppMeters();

export const TEST_MODEL = "test-model";

const CAPABILITIES: MinerCapabilities = {
  gpus: [],
  cuda: null,
  cpu: { name: "test", cores: 1 },
  memory_mb: 1024,
  models: [
    {
      name: TEST_MODEL,
      digest: "sha256:00",
      context_tokens: 1024,
      engine: "scripted",
      tokens_per_second: null,
      features: ["text"],
    },
  ],
  price: null,
};

export interface MinerSetup {
  /** Identity; absent: a new one. */
  readonly key?: KeyPair;
  readonly models?: readonly string[];
  /** Digest of all its models; absent: one that nobody knows. */
  readonly digest?: string;
  readonly register?: Partial<Register>;
}

/**
 * Stands for a miner where a test needs one that does exactly this, now: that stalls, vanishes, cheats, or
 * repeats itself, which the real one does not do. It speaks the real frames through the real decoders over a
 * real WebSocket; flows with an honest miner run the real one.
 */
export class ScriptedMiner {
  readonly key: KeyPair;
  readonly minerId: string;
  /** Every frame of the coordinator on this connection. */
  readonly frames: CoordinatorFrame[] = [];
  /** Why the connection closed. */
  closed: string | undefined;
  readonly #channel: Channel;
  #coordinatorKey: Uint8Array = new Uint8Array();
  #read = 0;
  #arrived = Promise.withResolvers<void>();

  private constructor(channel: Channel, key: KeyPair) {
    this.#channel = channel;
    this.key = key;
    this.minerId = addressOfKey(key.publicKey);
    channel.onFrame((raw) => {
      this.frames.push(decodeCoordinatorFrame(raw));
      this.#wake();
    });
    channel.onClose((reason) => {
      this.closed = reason;
      this.#wake();
    });
    // The next test's job must not be offered to a miner that is about to leave.
    onTestFinished(async () => {
      this.disconnect();
      await this.ended();
    });
  }

  /** Opens a session and leaves it at the coordinator's challenge. */
  static async dial(
    daemon: Pick<TestDaemon, "url" | "keys">,
    key = generateKeyPair(),
  ): Promise<ScriptedMiner> {
    const channel = await openSessionChannel({ url: daemon.url, apiKey: daemon.keys.miner });
    return new ScriptedMiner(channel, key);
  }

  /** Opens a session and registers. */
  static async join(
    daemon: Pick<TestDaemon, "url" | "keys">,
    setup: MinerSetup = {},
  ): Promise<ScriptedMiner> {
    const miner = await ScriptedMiner.dial(daemon, setup.key);
    const [base] = CAPABILITIES.models;
    const models = setup.models?.flatMap((name) =>
      base ? [{ ...base, name, digest: setup.digest ?? base.digest }] : [],
    );
    const capabilities = { ...CAPABILITIES, ...(models && { models }) };
    miner.send(await miner.registration({ capabilities, ...setup.register }));
    await miner.next("registered");
    return miner;
  }

  /** A registration with a good proof, for the challenge of this session. */
  async registration(changes: Partial<Register> = {}): Promise<Register> {
    const { nonce, coordinator_id, coordinator_public_key } = await this.next("challenge");
    this.#coordinatorKey = fromBase64Url("key", coordinator_public_key);
    const proof = { v: 1 as const, nonce, coordinator_id, miner_id: this.minerId };
    return {
      type: "register",
      v: 1,
      public_key: toBase64Url(this.key.publicKey),
      signature: toBase64Url(signSessionProof(proof, this.realm, this.key.secretKey)),
      name: "scripted",
      region: null,
      payout: null,
      slots: 1,
      capabilities: CAPABILITIES,
      running: [],
      ...changes,
    };
  }

  get realm(): Uint8Array {
    return realmOfCoordinator(this.#coordinatorKey);
  }

  send(frame: MinerFrame): void {
    this.sendRaw(JSON.stringify(frame));
  }

  /** Sends any text, a frame or not. */
  sendRaw(text: string): void {
    this.#channel.send(text);
  }

  /** Vanishes: the coordinator hears nothing but the end of the connection. */
  disconnect(): void {
    this.#channel.close(1000, "gone");
  }

  /** The next frame of a type that was not read yet; frames of other types before it are skipped. */
  async next<T extends CoordinatorFrame["type"]>(type: T): Promise<FrameOf<T>> {
    for (;;) {
      while (this.#read < this.frames.length) {
        const frame = this.frames[this.#read++];
        // The type was just compared.
        if (frame?.type === type) return frame as FrameOf<T>;
      }
      if (this.closed !== undefined) throw new Error(`closed (${this.closed}) while waiting for ${type}`);
      await this.#arrived.promise;
    }
  }

  /** Resolves with the reason when the coordinator has closed the session. */
  async ended(): Promise<string> {
    while (this.closed === undefined) await this.#arrived.promise;
    return this.closed;
  }

  all<T extends CoordinatorFrame["type"]>(type: T): FrameOf<T>[] {
    return this.frames.filter((frame): frame is FrameOf<T> => frame.type === type);
  }

  /** Waits for an offer and begins to work on it. */
  async take(): Promise<Work> {
    const work = new Work(this, await this.next("offer"));
    work.start();
    return work;
  }

  #wake(): void {
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  }
}

/** One lease in the hands of a scripted miner. */
export class Work {
  readonly offer: Offer;
  readonly lease: LeaseId;
  /** The job's whole output as this miner knows it. */
  output: string;
  readonly #began = performance.now();
  #miner: ScriptedMiner;
  #statements = 0;

  constructor(miner: ScriptedMiner, offer: Offer) {
    this.#miner = miner;
    this.offer = offer;
    this.lease = { job_id: offer.terms.job_id, token: offer.terms.token };
    this.output = offer.prefix;
  }

  /** Goes on over another connection. */
  moveTo(miner: ScriptedMiner): void {
    this.#miner = miner;
  }

  start(): void {
    this.#miner.send({ type: "start", ...this.lease });
  }

  /** Delivers text after what was delivered before, or at `offset`. */
  chunk(text: string, offset = utf8Length(this.output)): void {
    this.#miner.send({ type: "chunk", ...this.lease, offset, text });
    this.output += text;
  }

  /** Delivers text and waits until the coordinator has stored it. */
  async deliver(text: string): Promise<void> {
    this.chunk(text);
    const want = utf8Length(this.output);
    while ((await this.#miner.next("ack")).bytes < want);
  }

  /** The true statement of progress with its signature, changed as the test likes before or after signing. */
  progress(lie: Partial<Progress> = {}, sign: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes): void {
    const { terms } = this.offer;
    const bytes = utf8Length(this.output);
    const progress: Progress = {
      v: 1,
      ...this.lease,
      seq: ++this.#statements,
      bytes,
      running_sha256: sha256Hex(this.output),
      units: this.#units,
      terms_hash: termsHash(terms),
      ...lie,
    };
    const signature = sign(signProgress(progress, this.#miner.realm, this.#miner.key.secretKey));
    this.#miner.send({ type: "progress", progress, signature: toBase64Url(signature) });
  }

  /** Units of this segment. */
  get #units(): number {
    const { prefix, terms } = this.offer;
    const meter = METERS.find(terms.meter);
    if (!meter) throw new Error(`the meter ${terms.meter} is not known`);
    return segmentUnits(meter, prefix, this.output.slice(prefix.length));
  }

  /** The receipt that is due, signed; changed before it is signed where the test lies. */
  receipt(lie: (receipt: Receipt) => Receipt = (receipt) => receipt, key = this.#miner.key): Receipt {
    const { terms, prefix } = this.offer;
    const elapsedMs = Math.round(performance.now() - this.#began);
    const receipt = buildReceipt(terms, {
      provider: this.#miner.minerId,
      endsJob: true,
      outcome: "completed",
      end_byte: utf8Length(this.output),
      delivered_units: this.#units,
      segment_sha256: sha256Hex(this.output.slice(prefix.length)),
      output_sha256: sha256Hex(this.output),
      completed_at: terms.started_at + Math.round(elapsedMs / 1000),
      duration_ms: elapsedMs,
    });
    return signReceipt(lie(receipt), key.secretKey);
  }

  complete(receipt: Receipt = this.receipt()): void {
    this.#miner.send({
      type: "complete",
      ...this.lease,
      finish_reason: "stop",
      usage: { prompt_tokens: 1, completion_tokens: 1 },
      receipt: { ...receipt },
    });
  }

  fail(code: string, retryable: boolean): void {
    this.#miner.send({ type: "fail", ...this.lease, code, message: "as the test wants", retryable });
  }

  /** The coordinator's refusal of a frame of this lease. */
  async fenced(): Promise<FrameOf<"fenced">> {
    for (;;) {
      const frame = await this.#miner.next("fenced");
      if (frame.job_id === this.lease.job_id && frame.token === this.lease.token) return frame;
    }
  }
}
