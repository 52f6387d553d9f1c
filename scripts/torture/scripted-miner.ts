import { setTimeout as sleep } from "node:timers/promises";
import { openSessionChannel } from "../../src/client/session-channel.ts";
import { addressOfKey } from "../../src/crypto/address.ts";
import { fromBase64Url } from "../../src/crypto/bytes.ts";
import { generateKeyPair, PUBLIC_KEY_BYTES } from "../../src/crypto/ed25519.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { BYTES_METER } from "../../src/domain/job/meter.ts";
import { termsHash } from "../../src/domain/job/terms.ts";
import { type Channel, CLOSE } from "../../src/kernel/channel.ts";
import { createSigner, type Signer } from "../../src/roles/miner/signer.ts";
import { textsOf } from "../../src/wire/job-texts.ts";
import {
  type CoordinatorFrame,
  decodeCoordinatorFrame,
  type MinerFrame,
  type Offer,
} from "../../src/wire/session.ts";
import { answerOf, pieceEnd, planOf } from "./answers.ts";
import type { Findings } from "./findings.ts";
import { createRandom, type Random } from "./random.ts";

/** The model that only these miners have. */
export const TORTURE_MODEL = "torture";

const SLOTS = 32;
/** How often each running answer grows, in ms: as fast as a quick model. */
const STEP_MS = 3;
/** A slow answer grows once in so many steps, so that it lives through most of the torture. */
const SLOW_STEPS = 40;
/** Largest piece of text sent at once, in bytes. */
const MAX_PIECE_BYTES = 160;
/** One lease in so many is given up on the way, as an engine that breaks would. */
const GIVE_UP_ONE_IN = 12;
/** How long the flaky miner keeps a connection, in ms. */
const FLAKY_MS = { least: 100, range: 500 };
/** Refusals that an honest miner may meet: its lease was lost while nobody could tell it. */
const HONEST_REFUSALS = new Set(["STALE_LEASE"]);

type FrameOf<T extends CoordinatorFrame["type"]> = Extract<CoordinatorFrame, { type: T }>;
type Complete = Extract<MinerFrame, { type: "complete" }>;

/** One lease being worked on. */
interface Work {
  readonly offer: Offer;
  readonly answer: Buffer;
  readonly slow: boolean;
  readonly startedAt: number;
  /** Where this miner gives up; beyond the answer's end when it does not. */
  readonly giveUpAt: number;
  sent: number;
  stated: number;
  statements: number;
  /** The signed answer, once it was sent: it is sent again until the coordinator confirms it. */
  complete: Complete | undefined;
}

export interface ScriptedMinerOptions {
  readonly url: string;
  readonly apiKey: string;
  readonly name: string;
  /** Closes its connections at random moments and comes back at once. */
  readonly flaky: boolean;
  readonly seed: number;
  readonly findings: Findings;
  /** Resolves when the coordinator listens. */
  readonly coordinatorReady: () => Promise<void>;
  /** How long a flaky miner keeps a connection, in ms. */
  readonly flakyMs?: { readonly least: number; readonly range: number };
  /** How often each running answer grows, in ms. */
  readonly stepMs?: number;
}

/**
 * Stands for a machine with a fast model: the built-in one answers in a few tokens, so kills would mostly fall
 * between jobs. It speaks the real frames over the real WebSocket and signs with the real code of the miner;
 * only the text comes from a formula instead of a model, which lets the torture know each right answer.
 */
export class ScriptedMiner {
  readonly #options: ScriptedMinerOptions;
  readonly #identity: {
    secretKey: ReturnType<typeof generateKeyPair>["secretKey"];
    publicKey: Uint8Array;
    minerId: string;
  };
  readonly #random: Random;
  readonly #works = new Map<string, Work>();
  readonly #stop = new AbortController();
  #signer: Signer | undefined;
  #channel: Channel | undefined;
  #steps = 0;
  #finishing = false;
  #running: Promise<unknown> | undefined;

  constructor(options: ScriptedMinerOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
    const { secretKey, publicKey } = generateKeyPair();
    this.#identity = { secretKey, publicKey, minerId: addressOfKey(publicKey) };
  }

  get publicKey(): Uint8Array {
    return this.#identity.publicKey;
  }

  /** Leases that it works on now. */
  get busy(): number {
    return this.#works.size;
  }

  start(): void {
    this.#running ??= Promise.all([this.#connect(), this.#step()]);
  }

  /** Nothing is slow or flaky from here on, and nothing is given up. */
  finish(): void {
    this.#finishing = true;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#channel?.close(CLOSE.goingAway, "the torture is over");
    await this.#running;
  }

  /** Keeps a session open until it is stopped. */
  async #connect(): Promise<void> {
    const { url, apiKey, coordinatorReady } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await coordinatorReady();
      try {
        const channel = await openSessionChannel({ url, apiKey, signal });
        await this.#serve(channel);
      } catch {
        // The coordinator was killed while connecting: it comes back.
        await sleep(STEP_MS);
      }
    }
  }

  /** Serves one connection to its end. */
  async #serve(channel: Channel): Promise<void> {
    const closed = Promise.withResolvers<void>();
    const breaks = this.#options.flaky && !this.#finishing;
    const { least, range } = this.#options.flakyMs ?? FLAKY_MS;
    const timer = breaks
      ? setTimeout(() => channel.close(CLOSE.goingAway, "flaky"), least + this.#random.below(range))
      : undefined;
    channel.onClose(() => closed.resolve());
    channel.onFrame((raw) => this.#receive(channel, decodeCoordinatorFrame(raw)));
    await closed.promise;
    clearTimeout(timer);
    this.#channel = undefined;
  }

  #receive(channel: Channel, frame: CoordinatorFrame): void {
    switch (frame.type) {
      case "challenge":
        this.#register(channel, frame);
        break;
      case "registered":
        this.#registered(channel, frame);
        break;
      case "offer":
        this.#take(frame);
        break;
      case "completed":
        void this.#confirmed(frame);
        break;
      case "fenced":
        this.#expect(
          HONEST_REFUSALS.has(frame.code),
          `${frame.job_id}/${frame.token} was refused: ${frame.detail}`,
        );
        this.#drop(frame);
        break;
      case "cancel":
        this.#drop(frame);
        break;
      case "error":
        this.#expect(false, `the session was refused: ${frame.code} ${frame.detail}`);
        break;
      default:
    }
  }

  #register(channel: Channel, frame: FrameOf<"challenge">): void {
    const { name } = this.#options;
    const coordinatorKey = fromBase64Url(
      "coordinator_public_key",
      frame.coordinator_public_key,
      PUBLIC_KEY_BYTES,
    );
    this.#signer ??= createSigner(this.#identity, coordinatorKey, undefined);
    this.#expect(
      this.#signer.coordinatorId === frame.coordinator_id,
      "the coordinator has another identity now",
    );
    const register: MinerFrame = {
      type: "register",
      v: 1,
      ...this.#signer.proveSession(frame.nonce),
      name,
      region: null,
      payout: null,
      slots: SLOTS,
      capabilities: {
        gpus: [],
        cuda: null,
        cpu: { name: "torture", cores: 1 },
        memory_mb: 1024,
        models: [
          {
            name: TORTURE_MODEL,
            digest: "",
            context_tokens: 8192,
            engine: "torture",
            tokens_per_second: null,
            features: ["text"],
          },
        ],
        price: null,
      },
      running: [...this.#works.values()].map(({ offer: { terms } }) => ({
        job_id: terms.job_id,
        token: terms.token,
      })),
    };
    channel.send(JSON.stringify(register));
  }

  /** Goes on where the coordinator stands. What it calls lost may be an answer that it has stored: it is asked. */
  #registered(channel: Channel, { resume, lost }: FrameOf<"registered">): void {
    this.#channel = channel;
    for (const { job_id, token, bytes } of resume) {
      const work = this.#find({ job_id, token });
      if (!work) continue;
      this.#expect(
        bytes <= work.sent,
        `${job_id}/${token}: the coordinator has ${bytes} bytes, ${work.sent} were sent`,
      );
      work.sent = bytes;
      work.stated = Math.min(work.stated, bytes);
      work.complete = undefined;
    }
    for (const lease of lost) {
      const work = this.#find(lease);
      if (work?.complete) this.#send(work.complete);
      else this.#drop(lease);
    }
  }

  #take(offer: Offer): void {
    const { terms, payload, prefix } = offer;
    const plan = planOf(textsOf(payload)[0] ?? "");
    const answer = answerOf(plan);
    const isPrefix = answer.subarray(0, terms.start_byte).equals(Buffer.from(prefix));
    this.#expect(
      isPrefix,
      `${terms.job_id}/${terms.token}: the offer's prefix is not the start of the answer`,
    );
    const length = answer.length - terms.start_byte;
    const givesUp = !this.#finishing && this.#random.once(GIVE_UP_ONE_IN);
    this.#works.set(terms.job_id, {
      offer,
      answer,
      slow: plan.slow,
      startedAt: performance.now(),
      giveUpAt: givesUp ? terms.start_byte + this.#random.below(length + 1) : Number.POSITIVE_INFINITY,
      sent: terms.start_byte,
      stated: terms.start_byte,
      statements: 0,
      complete: undefined,
    });
    this.#send({ type: "start", job_id: terms.job_id, token: terms.token });
  }

  async #confirmed(frame: FrameOf<"completed">): Promise<void> {
    this.#drop(frame);
    const isAttested = await this.#signer?.isAttested(frame.receipt);
    this.#expect(isAttested === true, `${frame.job_id}: the receipt is not attested`);
  }

  #find({ job_id, token }: { job_id: string; token: number }): Work | undefined {
    const work = this.#works.get(job_id);
    return work?.offer.terms.token === token ? work : undefined;
  }

  #drop(lease: { job_id: string; token: number }): void {
    if (this.#find(lease)) this.#works.delete(lease.job_id);
  }

  #send(frame: MinerFrame): void {
    this.#channel?.send(JSON.stringify(frame));
  }

  /** Lets every running answer grow by a piece. */
  async #step(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await sleep(this.#options.stepMs ?? STEP_MS);
      this.#steps++;
      if (!this.#channel) continue;
      for (const work of this.#works.values()) {
        if (work.complete || (work.slow && !this.#finishing && this.#steps % SLOW_STEPS !== 0)) continue;
        this.#advance(work);
      }
    }
  }

  #advance(work: Work): void {
    const { terms } = work.offer;
    const lease = { job_id: terms.job_id, token: terms.token };
    if (work.sent >= work.giveUpAt && !this.#finishing) {
      this.#send({ type: "fail", ...lease, code: "ENGINE_FAILED", message: "given up", retryable: true });
      this.#drop(lease);
      return;
    }
    if (work.sent < work.answer.length) {
      const end = pieceEnd(work.answer, work.sent, 1 + this.#random.below(MAX_PIECE_BYTES));
      this.#send({
        type: "chunk",
        ...lease,
        offset: work.sent,
        text: work.answer.toString("utf8", work.sent, end),
      });
      work.sent = end;
    }
    const unitsTo = (bytes: number): number => BYTES_METER.units(bytes) - BYTES_METER.units(terms.start_byte);
    const units = unitsTo(work.sent);
    if (units - unitsTo(work.stated) >= terms.progress_units) this.#state(work, units);
    if (work.sent === work.answer.length) this.#complete(work);
  }

  #state(work: Work, units: number): void {
    const { terms } = work.offer;
    work.stated = work.sent;
    const progress = {
      v: 1 as const,
      job_id: terms.job_id,
      token: terms.token,
      seq: ++work.statements,
      bytes: work.sent,
      running_sha256: sha256Hex(work.answer.subarray(0, work.sent)),
      units,
      terms_hash: termsHash(terms),
    };
    const signature = this.#signer?.signProgress(progress);
    if (signature !== undefined) this.#send({ type: "progress", progress, signature });
  }

  #complete(work: Work): void {
    const { terms, prefix } = work.offer;
    const receipt = this.#signer?.signReceipt(terms, {
      prefix,
      text: work.answer.toString("utf8", terms.start_byte),
      endByte: work.answer.length,
      units: BYTES_METER.units(work.answer.length) - BYTES_METER.units(terms.start_byte),
      elapsedMs: performance.now() - work.startedAt,
    });
    if (!receipt) return;
    work.complete = {
      type: "complete",
      job_id: terms.job_id,
      token: terms.token,
      finish_reason: "stop",
      usage: { prompt_tokens: terms.prompt_units, completion_tokens: 1 },
      receipt: { ...receipt },
    };
    this.#send(work.complete);
  }

  #expect(holds: boolean, finding: string): void {
    this.#options.findings.expect(holds, `miner ${this.#options.name}: ${finding}`);
  }
}
