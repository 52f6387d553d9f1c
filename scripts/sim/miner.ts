import { addressOfKey } from "../../src/crypto/address.ts";
import { fromBase64Url, toBase64Url, utf8Length } from "../../src/crypto/bytes.ts";
import { PUBLIC_KEY_BYTES, publicKeyOf, SecretKey } from "../../src/crypto/ed25519.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { BYTES_METER } from "../../src/domain/job/meter.ts";
import { termsHash } from "../../src/domain/job/terms.ts";
import type { Receipt } from "../../src/domain/receipt/fields.ts";
import type { Progress } from "../../src/domain/receipt/progress.ts";
import { signReceipt } from "../../src/domain/receipt/sign.ts";
import { type Channel, CLOSE } from "../../src/kernel/channel.ts";
import { createSigner, type Signer } from "../../src/roles/miner/signer.ts";
import { textsOf } from "../../src/wire/job-texts.ts";
import {
  type CoordinatorFrame,
  decodeCoordinatorFrame,
  type MinerFrame,
  type Offer,
} from "../../src/wire/session.ts";
import { answerOf, pieceEnd, planOf } from "../torture/answers.ts";
import type { World } from "./world.ts";

/** The model that these miners have. */
export const SIM_MODEL = "sim";

/** Nobody's signature, whose point is not of small order: only the verification itself finds it false. */
const FORGED = toBase64Url(new Uint8Array(64).fill(7));

type FrameOf<T extends CoordinatorFrame["type"]> = Extract<CoordinatorFrame, { type: T }>;
export type LeaseId = { readonly job_id: string; readonly token: number };

export const leaseName = ({ job_id, token }: LeaseId): string => `${job_id}/${token}`;

/** One lease that a miner was ever offered; it is kept, so that a late frame can be sent under it. */
export interface Work {
  readonly lease: LeaseId;
  readonly offer: Offer;
  readonly answer: Buffer;
  /** Simulated time of the offer. */
  readonly startedAt: number;
  sent: number;
  statements: number;
  /** The last chunk and the last completion, to be sent once more. */
  lastChunk: MinerFrame | undefined;
  complete: MinerFrame | undefined;
}

/** A miner that does what the schedule says, honest or not; what it signs is signed by the real code. */
export class SimMiner {
  readonly name: string;
  readonly minerId: string;
  readonly publicKey: Uint8Array;
  /** Every lease that it was offered, oldest first. */
  readonly works: Work[] = [];
  /** Names of the leases that its session holds, as far as it was told. */
  readonly held = new Set<string>();
  /** Frames about leases since the last `listen`. */
  heard: (FrameOf<"fenced"> | FrameOf<"completed">)[] = [];
  readonly #world: World;
  readonly #secretKey: SecretKey;
  readonly #slots: number;
  #channel: Channel | undefined;
  #signer: Signer | undefined;
  #running: readonly LeaseId[] = [];
  #registered = false;

  constructor(world: World, name: string, slots: number) {
    this.#world = world;
    this.name = name;
    this.#slots = slots;
    this.#secretKey = new SecretKey(world.random(32));
    this.publicKey = publicKeyOf(this.#secretKey);
    this.minerId = addressOfKey(this.publicKey);
  }

  get connected(): boolean {
    return this.#channel !== undefined && this.#registered;
  }

  /** Opens a session, and says that it works on these leases. An earlier session stays open until it is told. */
  connect(running: readonly LeaseId[]): void {
    const channel = this.#world.connect();
    this.#channel = channel;
    this.#registered = false;
    this.#running = running;
    this.held.clear();
    channel.onClose(() => {
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      this.held.clear();
    });
    channel.onFrame((raw) => this.#receive(channel, decodeCoordinatorFrame(raw)));
  }

  disconnect(): void {
    this.#channel?.close(CLOSE.goingAway, "gone");
    this.#channel = undefined;
    this.held.clear();
  }

  /** Forgets what it heard. */
  listen(): void {
    this.heard = [];
  }

  send(frame: MinerFrame): void {
    this.#channel?.send(JSON.stringify(frame));
  }

  start(work: Work): void {
    this.send({ type: "start", ...work.lease });
  }

  /** The next piece of the answer. */
  chunk(work: Work, size: number): void {
    const end = pieceEnd(work.answer, work.sent, size);
    if (end === work.sent) return;
    const text = work.answer.toString("utf8", work.sent, end);
    work.lastChunk = { type: "chunk", ...work.lease, offset: work.sent, text };
    work.sent = end;
    this.send(work.lastChunk);
  }

  /** Text that is not the answer's, at any place. */
  inject(work: Work, offset: number, text: string): void {
    this.send({ type: "chunk", ...work.lease, offset, text });
  }

  /** The true statement of progress, or one that is changed before it is signed, or signed by nobody. */
  progress(work: Work, lie: Partial<Progress> = {}, forged = false): void {
    const progress: Progress = {
      v: 1,
      ...work.lease,
      seq: ++work.statements,
      bytes: work.sent,
      running_sha256: sha256Hex(work.answer.subarray(0, work.sent)),
      units: this.#units(work),
      terms_hash: termsHash(work.offer.terms),
      ...lie,
    };
    const signature = forged ? FORGED : this.#signer?.signProgress(progress);
    if (signature !== undefined) this.send({ type: "progress", progress, signature });
  }

  /** Delivers the rest and completes. */
  finish(work: Work): void {
    while (work.sent < work.answer.length) this.chunk(work, work.answer.length);
    const receipt = this.receipt(work);
    if (receipt) this.complete(work, receipt);
  }

  /** The receipt that is due for what was sent. */
  receipt(work: Work): Receipt | undefined {
    const { terms, prefix } = work.offer;
    return this.#signer?.signReceipt(terms, {
      prefix,
      text: work.answer.toString("utf8", terms.start_byte, work.sent),
      endByte: work.sent,
      units: this.#units(work),
      elapsedMs: this.#world.time - work.startedAt,
    });
  }

  /** Signs a receipt of any content. */
  sign(receipt: Receipt): Receipt {
    const { signature: _signature, ...unsigned } = receipt;
    return signReceipt(unsigned, this.#secretKey);
  }

  complete(work: Work, receipt: Receipt): void {
    work.complete = {
      type: "complete",
      ...work.lease,
      finish_reason: "stop",
      usage: { prompt_tokens: 1, completion_tokens: 1 },
      receipt: { ...receipt },
    };
    this.send(work.complete);
  }

  fail(work: Work, retryable: boolean): void {
    const said = { code: "ENGINE_FAILED", message: "as the schedule wants" };
    this.send({ type: "fail", ...work.lease, ...said, retryable });
    this.held.delete(leaseName(work.lease));
  }

  heartbeat(running: readonly LeaseId[]): void {
    this.send({ type: "heartbeat", running: [...running] });
  }

  #units({ offer: { terms }, sent }: Work): number {
    return BYTES_METER.units(sent) - BYTES_METER.units(terms.start_byte);
  }

  #receive(channel: Channel, frame: CoordinatorFrame): void {
    if (channel !== this.#channel) return;
    switch (frame.type) {
      case "challenge":
        this.#register(frame);
        break;
      case "registered":
        this.#registered = true;
        for (const lease of frame.resume) {
          this.held.add(leaseName(lease));
          const work = this.works.find((one) => leaseName(one.lease) === leaseName(lease));
          if (work) work.sent = lease.bytes;
        }
        break;
      case "offer":
        this.#take(frame);
        break;
      case "completed":
      case "fenced":
        this.heard.push(frame);
        this.held.delete(leaseName(frame));
        break;
      case "cancel":
        this.held.delete(leaseName(frame));
        break;
      case "error":
        this.#world.findings.add(`${this.name}: the session was refused: ${frame.code} ${frame.detail}`);
        break;
      default:
    }
  }

  #register(frame: FrameOf<"challenge">): void {
    const key = fromBase64Url("key", frame.coordinator_public_key, PUBLIC_KEY_BYTES);
    const { minerId, publicKey } = this;
    this.#signer = createSigner({ secretKey: this.#secretKey, publicKey, minerId }, key, undefined);
    this.send({
      type: "register",
      v: 1,
      ...this.#signer.proveSession(frame.nonce),
      name: this.name,
      region: null,
      payout: null,
      slots: this.#slots,
      capabilities: {
        gpus: [],
        cuda: null,
        cpu: { name: "sim", cores: 1 },
        memory_mb: 1024,
        models: [
          {
            name: SIM_MODEL,
            digest: "",
            context_tokens: 1024,
            engine: "sim",
            tokens_per_second: null,
            features: ["text"],
          },
        ],
        price: null,
      },
      running: [...this.#running],
    });
  }

  #take(offer: Offer): void {
    const { terms, payload, prefix } = offer;
    const answer = answerOf(planOf(textsOf(payload)[0] ?? ""));
    const lease = { job_id: terms.job_id, token: terms.token };
    const isStart =
      utf8Length(prefix) === terms.start_byte && answer.toString("utf8", 0, terms.start_byte) === prefix;
    this.#world.findings.expect(isStart, `${leaseName(lease)}: the prefix is not the start of the answer`);
    this.held.add(leaseName(lease));
    this.works.push({
      lease,
      offer,
      answer,
      startedAt: this.#world.time,
      sent: terms.start_byte,
      statements: 0,
      lastChunk: undefined,
      complete: undefined,
    });
  }
}
