import { addressOfKey } from "../../src/crypto/address.ts";
import { fromBase64Url, toBase64Url } from "../../src/crypto/bytes.ts";
import { generateKeyPair } from "../../src/crypto/ed25519.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { realmOfCoordinator } from "../../src/crypto/sign-bytes.ts";
import { BYTES_METER, promptUnits } from "../../src/domain/job/meter.ts";
import { requestHash } from "../../src/domain/job/request.ts";
import { verifySessionProof } from "../../src/domain/job/session-proof.ts";
import type { Terms } from "../../src/domain/job/terms.ts";
import { receiptFromJson } from "../../src/domain/receipt/parse.ts";
import { attestReceipt } from "../../src/domain/receipt/sign.ts";
import { type Channel, createChannelPair } from "../../src/kernel/channel.ts";
import { AppError } from "../../src/kernel/errors.ts";
import type { InferencePayload } from "../../src/wire/jobs.ts";
import {
  type CoordinatorFrame,
  decodeCoordinatorFrame,
  decodeMinerFrame,
  type MinerFrame,
} from "../../src/wire/session.ts";

export type FrameOf<T extends MinerFrame["type"]> = Extract<MinerFrame, { type: T }>;
type Registered = Extract<CoordinatorFrame, { type: "registered" }>;

const NONCE = "ab".repeat(32);

/** What a test may set in an offer. */
export interface OfferOptions {
  readonly payload?: Partial<InferencePayload>;
  readonly prefix?: string;
  readonly terms?: Partial<Terms>;
  readonly deadline_ms?: number;
}

/**
 * Stands for the coordinator where the miner is tested alone: it speaks the real frames through the real
 * decoders over the real in-process channel, but does only what the test scripts. Flow tests run the two roles
 * against each other.
 */
export class ScriptedCoordinator {
  readonly key = generateKeyPair();
  readonly id = addressOfKey(this.key.publicKey);
  readonly realm = realmOfCoordinator(this.key.publicKey);
  /** Every frame of the miner, on all connections. */
  readonly frames: MinerFrame[] = [];
  /** Answers the tests want by default; each can be switched off. */
  acknowledges = true;
  drains = true;
  /** Set, it is why new connections fail. */
  refusal: AppError | undefined;
  opens = 0;
  /** What miners may read, by SHA-256. */
  readonly artifacts = new Map<string, Uint8Array<ArrayBuffer>>();
  heartbeatMs = 60_000;
  /** What `registered` says of the miner's running leases. */
  resume: Registered["resume"] = [];
  #channel: Channel | undefined;
  #read = 0;
  #arrived = Promise.withResolvers<void>();

  readonly link = {
    label: "scripted coordinator",
    open: async (): Promise<Channel> => {
      this.opens++;
      this.#wake();
      if (this.refusal) throw this.refusal;
      const [near, far] = createChannelPair({ direct: false });
      this.#channel = far;
      far.onFrame((raw) => this.#receive(decodeMinerFrame(raw)));
      this.send({
        type: "challenge",
        v: 1,
        nonce: NONCE,
        coordinator_id: this.id,
        coordinator_public_key: toBase64Url(this.key.publicKey),
      });
      return near;
    },
    openArtifact: async (sha256: string): Promise<ReadableStream<Uint8Array>> => {
      const bytes = this.artifacts.get(sha256);
      if (!bytes) throw new AppError("ARTIFACT_NOT_FOUND", "there is no artifact with this name for you");
      return new Blob([bytes]).stream();
    },
  };

  /** Sends a frame, checked as the miner will check it. */
  send(frame: CoordinatorFrame): void {
    const raw = JSON.stringify(frame);
    decodeCoordinatorFrame(raw);
    this.#channel?.send(raw);
  }

  /** Breaks the connection. */
  disconnect(): void {
    this.#channel?.close(1006, "broken");
    this.#channel = undefined;
  }

  /** The miner's next frame of a type that was not read yet; frames of other types before it are skipped. */
  async next<T extends MinerFrame["type"]>(type: T): Promise<FrameOf<T>> {
    for (;;) {
      while (this.#read < this.frames.length) {
        const frame = this.frames[this.#read++];
        // The type was just compared.
        if (frame?.type === type) return frame as FrameOf<T>;
      }
      await this.#arrived.promise;
    }
  }

  /** Resolves when the condition holds; looked at after each frame and each connection. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.#arrived.promise;
  }

  all<T extends MinerFrame["type"]>(type: T): FrameOf<T>[] {
    return this.frames.filter((frame): frame is FrameOf<T> => frame.type === type);
  }

  /** All text of one lease, as the chunks' offsets place it. Chunks that leave a gap are an error. */
  text(startByte = 0): string {
    let bytes = Buffer.alloc(0);
    for (const { offset, text } of this.all("chunk")) {
      const at = offset - startByte;
      if (at > bytes.length) throw new Error(`gap before byte ${offset}`);
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(text)]);
    }
    return bytes.toString();
  }

  /** Sends an offer and returns its terms. */
  offer(options: OfferOptions = {}): Terms {
    const payload: InferencePayload = {
      type: "inference",
      model: "test",
      prompt: "hello",
      temperature: 0,
      ...options.payload,
    };
    const prefix = options.prefix ?? "";
    const terms: Terms = {
      v: 1,
      job_id: `${"0".repeat(31)}1`,
      token: 1,
      client: "client-1",
      coordinator_id: this.id,
      kind: "inference",
      model: payload.model ?? "test",
      request_sha256: requestHash(payload),
      unit_type: "token_ops",
      meter: "bytes/4",
      prompt_units: promptUnits(BYTES_METER, payload),
      settled_units: BYTES_METER.units(Buffer.byteLength(prefix)),
      start_byte: Buffer.byteLength(prefix),
      prefix_sha256: sha256Hex(prefix),
      price_uait_per_million_units: 200_000,
      max_output_bytes: 1024 * 1024,
      started_at: 1_800_000_000,
      deadline_seconds: 60,
      progress_units: 64,
      progress_ms: 1000,
      settlement: "voucher",
      nonce: "00ff",
      ...options.terms,
    };
    const deadline_ms = options.deadline_ms ?? terms.deadline_seconds * 1000;
    this.send({ type: "offer", terms, payload, prefix, lease_ms: 30_000, deadline_ms });
    return terms;
  }

  /** Confirms a completed job with an attested receipt. */
  confirm({ job_id, token, receipt }: FrameOf<"complete">): void {
    const attested = attestReceipt(receiptFromJson(receipt), this.key.secretKey);
    this.send({ type: "completed", job_id, token, receipt: { ...attested } });
  }

  /** Whether a registration proves the key that it names. */
  isProven({ public_key, signature }: FrameOf<"register">): boolean {
    const publicKey = fromBase64Url("public_key", public_key);
    const proof = { v: 1 as const, nonce: NONCE, coordinator_id: this.id, miner_id: addressOfKey(publicKey) };
    return verifySessionProof(proof, this.realm, fromBase64Url("signature", signature), publicKey);
  }

  #receive(frame: MinerFrame): void {
    this.frames.push(frame);
    if (frame.type === "register") this.#register(frame);
    if (frame.type === "chunk" && this.acknowledges) {
      const { job_id, token, offset, text } = frame;
      this.send({ type: "ack", job_id, token, bytes: offset + Buffer.byteLength(text) });
    }
    if (frame.type === "drain" && this.drains) this.send({ type: "drained" });
    this.#wake();
  }

  #register({ public_key, running }: FrameOf<"register">): void {
    const resumed = new Set(this.resume.map(({ job_id, token }) => `${job_id}:${token}`));
    this.send({
      type: "registered",
      miner_id: addressOfKey(fromBase64Url("public_key", public_key)),
      heartbeat_ms: this.heartbeatMs,
      resume: this.resume,
      lost: running.filter(({ job_id, token }) => !resumed.has(`${job_id}:${token}`)),
    });
  }

  #wake(): void {
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  }
}
