import { type Channel, CLOSE } from "../../kernel/channel.ts";
import { AppError, toAppError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import { type CoordinatorFrame, decodeMinerFrame, HANDED_OVER, type MinerFrame } from "../../wire/session.ts";
import type { Lease, StoredLease } from "./lease.ts";
import { MAX_BUFFERED_BYTES, MAX_FRAMES_AT_ONCE, REGISTER_TIMEOUT_MS } from "./limits.ts";
import type { KeyedProfile, LinkOffer, MinerLink } from "./miner-link.ts";

type Register = Extract<MinerFrame, { type: "register" }>;
type Update = Extract<MinerFrame, { type: "update" }>;
type Frame<Type extends MinerFrame["type"]> = Extract<MinerFrame, { type: Type }>;
type Fence = { readonly job_id: string; readonly token: number };

/** What the coordinator does with a miner's frames. Everything about a lease is fenced by its token. */
export interface SessionHandler {
  /** Checks the proof of the key, records the miner, and tells which running leases still hold. */
  register(session: MinerSession, frame: Register): Promise<KeyedProfile>;
  registered(session: MinerSession, running: Register["running"]): void;
  heartbeat(session: MinerSession, frame: Frame<"heartbeat">): void;
  start(session: MinerSession, frame: Frame<"start">): void;
  reject(session: MinerSession, frame: Frame<"reject">): Promise<void>;
  chunk(session: MinerSession, frame: Frame<"chunk">): void;
  progress(session: MinerSession, frame: Frame<"progress">): Promise<void>;
  complete(session: MinerSession, frame: Frame<"complete">): Promise<void>;
  fail(session: MinerSession, frame: Frame<"fail">): Promise<void>;
  drain(session: MinerSession): void;
  /** The session's profile has changed. */
  updated(session: MinerSession): void;
  closed(session: MinerSession): void;
}

/** One miner's connection: frames in and out, and the leases that it works on. */
export class MinerSession implements MinerLink {
  readonly keyId: string;
  readonly nonce: string;
  /** Leases whose work goes over this connection, by job. */
  readonly leases = new Map<string, Lease>();
  /** Claims under way: slots that are as good as taken. */
  claiming = 0;
  /** Last registration or heartbeat, monotonic ms. */
  seenAt = 0;
  draining = false;
  open = true;
  readonly #channel: Channel;
  readonly #handler: SessionHandler;
  readonly #log: Log;
  #profile: KeyedProfile | undefined;
  #registering = false;
  /** Whether the miner takes confirmations of several jobs in one frame. */
  #takesAcks = false;
  #working = 0;

  constructor(
    channel: Channel,
    options: { keyId: string; nonce: string; handler: SessionHandler; log: Log },
  ) {
    this.#channel = channel;
    this.keyId = options.keyId;
    this.nonce = options.nonce;
    this.#handler = options.handler;
    this.#log = options.log;
    const timer = setTimeout(
      () => this.#profile ?? this.close(CLOSE.protocolError, "not registered in time"),
      REGISTER_TIMEOUT_MS,
    );
    timer.unref();
    channel.onClose((reason) => {
      clearTimeout(timer);
      if (!this.open) return;
      this.open = false;
      this.#log.debug({ miner_id: this.#profile?.minerId, reason }, "miner session closed");
      this.#handler.closed(this);
    });
    channel.onFrame((raw) => this.#receive(() => decodeMinerFrame(raw)));
    // A miner in this process made it by the same types.
    channel.direct?.onFrame((frame) => this.#receive(() => frame as MinerFrame));
  }

  /** One model that cannot is enough: which one runs a job is settled after it was chosen. */
  get continues(): boolean {
    return this.profile.capabilities.models.every(({ continues }) => continues !== false);
  }

  /** The registration. Only registered sessions are handed to anybody who asks for it. */
  get profile(): KeyedProfile {
    if (!this.#profile) throw new TypeError("the session is not registered");
    return this.#profile;
  }

  get registered(): boolean {
    return this.#profile !== undefined;
  }

  get minerId(): string {
    return this.profile.minerId;
  }

  /** Slots that can take an offer. */
  get freeSlots(): number {
    if (!this.open || this.draining) return 0;
    return Math.max(0, this.profile.slots - this.leases.size - this.claiming);
  }

  send(frame: CoordinatorFrame): void {
    if (this.#channel.bufferedBytes > MAX_BUFFERED_BYTES) {
      this.close(CLOSE.tryLater, "too slow");
      return;
    }
    const { direct } = this.#channel;
    if (direct && HANDED_OVER.has(frame.type)) direct.send(frame);
    else this.#channel.send(JSON.stringify(frame));
  }

  offer(lease: Lease, offer: LinkOffer): void {
    this.leases.set(lease.jobId, lease);
    lease.holder = this;
    this.send({ type: "offer", ...offer });
  }

  acknowledge(stored: readonly StoredLease[]): void {
    const acks = stored.map(({ lease, bytes }) => ({ job_id: lease.jobId, token: lease.token, bytes }));
    if (this.#takesAcks) this.send({ type: "acks", acks });
    else for (const ack of acks) this.send({ type: "ack", ...ack });
  }

  revoke(lease: Lease, type: "cancel" | "fenced", code: string, detail: string): void {
    this.release(lease);
    const fence = { job_id: lease.jobId, token: lease.token };
    this.send(type === "cancel" ? { type, ...fence, reason: detail } : { type, ...fence, code, detail });
  }

  /** Frees the slot of a lease that has ended. */
  release(lease: Lease): void {
    if (this.leases.get(lease.jobId) === lease) this.leases.delete(lease.jobId);
    if (lease.holder === this) lease.holder = undefined;
    this.finishDrain();
  }

  /** Tells a draining miner that nothing of its work is left here. */
  finishDrain(): void {
    if (this.draining && this.leases.size === 0 && this.claiming === 0) this.send({ type: "drained" });
  }

  fence({ job_id, token }: Fence, error: AppError): void {
    this.send({ type: "fenced", job_id, token, code: error.code, detail: error.message });
  }

  close(code: number, reason: string): void {
    this.#channel.close(code, reason);
  }

  #receive(read: () => MinerFrame): void {
    try {
      this.#dispatch(read());
    } catch (error) {
      this.#refuse(error);
    }
  }

  #dispatch(frame: MinerFrame): void {
    if (frame.type !== "register" && !this.#profile) {
      throw new AppError("PROTOCOL_VIOLATION", "the first frame must be register");
    }
    switch (frame.type) {
      case "register":
        this.#register(frame);
        break;
      case "heartbeat":
        this.#handler.heartbeat(this, frame);
        break;
      case "start":
        this.#now(frame, () => this.#handler.start(this, frame));
        break;
      case "chunk":
        this.#now(frame, () => this.#handler.chunk(this, frame));
        break;
      case "drain":
        this.#handler.drain(this);
        break;
      case "update":
        this.#update(frame);
        break;
      case "progress":
        this.#later(frame.progress, () => this.#handler.progress(this, frame));
        break;
      case "reject":
        this.#later(frame, () => this.#handler.reject(this, frame));
        break;
      case "complete":
        this.#later(frame, () => this.#handler.complete(this, frame));
        break;
      case "fail":
        this.#later(frame, () => this.#handler.fail(this, frame));
        break;
    }
  }

  #register(frame: Register): void {
    if (this.#registering) throw new AppError("PROTOCOL_VIOLATION", "a session registers once");
    this.#registering = true;
    this.#takesAcks = frame.features?.includes("acks") ?? false;
    this.#handler.register(this, frame).then(
      (profile) => {
        this.#profile = profile;
        if (this.open) this.#handler.registered(this, frame.running);
      },
      (error: unknown) => this.#refuse(error),
    );
  }

  /** A new profile, not a changed one: what others worked out from the old one stays true of that. */
  #update({ slots, capabilities }: Update): void {
    this.#profile = { ...this.profile, slots, capabilities };
    this.#handler.updated(this);
  }

  #now(fence: Fence, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#refuseLease(fence, error);
    }
  }

  /** Frames are worked on while others arrive, but not without bound. */
  #later(fence: Fence, work: () => Promise<void>): void {
    if (this.#working >= MAX_FRAMES_AT_ONCE) {
      throw new AppError(
        "RATE_LIMITED",
        `more than ${MAX_FRAMES_AT_ONCE} frames are being worked on; wait for their answers`,
      );
    }
    this.#working++;
    work()
      .catch((error: unknown) => this.#refuseLease(fence, error))
      .finally(() => this.#working--);
  }

  /** A refused frame about a lease ends the lease's work, not the session. */
  #refuseLease(fence: Fence, error: unknown): void {
    const refusal = toAppError(error);
    if (refusal.code === "INTERNAL")
      this.#log.error({ err: error, job_id: fence.job_id }, "miner frame failed");
    this.fence(fence, refusal);
  }

  /** Ends the session: the other side does not speak the protocol. */
  #refuse(error: unknown): void {
    const { code, message } = toAppError(error);
    this.#log.warn({ miner_id: this.#profile?.minerId, code, detail: message }, "miner session refused");
    this.send({ type: "error", code, detail: message });
    this.close(CLOSE.protocolError, code);
  }
}
