import { type Channel, CLOSE } from "../../kernel/channel.ts";
import { AppError, toAppError } from "../../kernel/errors.ts";
import {
  type CoordinatorFrame,
  decodeCoordinatorFrame,
  HANDED_OVER,
  type MinerFrame,
} from "../../wire/session.ts";
import type { Line } from "./delivery.ts";

/** Longest wait for `challenge` and `registered`, in ms: both need one round trip and one transaction. */
const HANDSHAKE_MS = 10_000;

export type CoordinatorFrameOf<T extends CoordinatorFrame["type"]> = Extract<CoordinatorFrame, { type: T }>;
export type MinerFrameOf<T extends MinerFrame["type"]> = Extract<MinerFrame, { type: T }>;
/** Frames that come after the handshake. */
export type WorkFrame = Exclude<CoordinatorFrame, { type: "challenge" | "registered" | "error" }>;

/** What a session asks of its owner. Called in the order of the frames. */
export interface SessionOwner {
  /** Answers the challenge. Throws when this is not a coordinator to work for. */
  register(challenge: CoordinatorFrameOf<"challenge">): MinerFrameOf<"register">;
  /** The session is open: frames may be sent from here on. */
  opened(registered: CoordinatorFrameOf<"registered">, line: Line): void;
  receive(frame: WorkFrame): void;
  /** Leases to name in a heartbeat. */
  running(): MinerFrameOf<"heartbeat">["running"];
}

/** Why a session ended, and whether it had been open. */
export interface SessionEnd {
  readonly opened: boolean;
  readonly error: AppError;
}

/**
 * One connection to a coordinator: handshake, heartbeats, frames in and out. A frame that is not understood
 * ends it, since nothing after it can be trusted to mean what it says.
 */
export class Session implements Line {
  readonly #channel: Channel;
  readonly #owner: SessionOwner;
  readonly #ended = Promise.withResolvers<SessionEnd>();
  #state: "challenge" | "registered" | "open" | "closed" = "challenge";
  #opened = false;
  #error: AppError | undefined;
  #timer: NodeJS.Timeout;

  constructor(channel: Channel, owner: SessionOwner) {
    this.#channel = channel;
    this.#owner = owner;
    this.#timer = setTimeout(() => this.#timeOut(), HANDSHAKE_MS);
    channel.onClose((reason) => this.#end(reason));
    channel.onFrame((raw) => this.#receive(() => decodeCoordinatorFrame(raw)));
    // A coordinator in this process made it by the same types.
    channel.direct?.onFrame((frame) => this.#receive(() => frame as CoordinatorFrame));
  }

  /** Resolves once, when the connection is closed by either side. */
  get ended(): Promise<SessionEnd> {
    return this.#ended.promise;
  }

  get busy(): boolean {
    return this.#channel.bufferedBytes > 0;
  }

  /** Sends a frame; without effect when the session is not open. */
  send(frame: MinerFrame): void {
    if (this.#state === "closed") return;
    const { direct } = this.#channel;
    if (direct && HANDED_OVER.has(frame.type)) direct.send(frame);
    else this.#channel.send(JSON.stringify(frame));
  }

  /** Closes the connection from this side, after everything that was sent. */
  close(code: number, error: AppError): void {
    if (this.#state === "closed") return;
    this.#error ??= error;
    this.#channel.close(code, error.code);
    this.#end(error.code);
  }

  #receive(read: () => CoordinatorFrame): void {
    if (this.#state === "closed") return;
    try {
      this.#handle(read());
    } catch (error) {
      this.close(CLOSE.protocolError, toAppError(error));
    }
  }

  #handle(frame: CoordinatorFrame): void {
    switch (frame.type) {
      case "error":
        // The coordinator closes next; its reason is worth more than the close code.
        this.#error ??= new AppError("UNREACHABLE", `${frame.code}: ${frame.detail}`, {
          meta: { code: frame.code },
        });
        return;
      case "challenge":
        this.#expect("challenge", frame.type);
        this.#state = "registered";
        this.send(this.#owner.register(frame));
        return;
      case "registered":
        this.#expect("registered", frame.type);
        this.#open(frame);
        return;
      default:
        this.#expect("open", frame.type);
        this.#owner.receive(frame);
    }
  }

  #expect(state: "challenge" | "registered" | "open", type: string): void {
    if (this.#state !== state) throw new AppError("PROTOCOL_VIOLATION", `unexpected frame ${type}`);
  }

  #open(frame: CoordinatorFrameOf<"registered">): void {
    this.#state = "open";
    this.#opened = true;
    clearTimeout(this.#timer);
    this.#timer = setInterval(
      () => this.send({ type: "heartbeat", running: this.#owner.running() }),
      frame.heartbeat_ms,
    );
    this.#owner.opened(frame, this);
  }

  #timeOut(): void {
    this.close(CLOSE.protocolError, new AppError("TIMEOUT", "the coordinator does not answer the handshake"));
  }

  #end(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#timer);
    const error = this.#error ?? new AppError("UNREACHABLE", reason || "the connection was closed");
    this.#ended.resolve({ opened: this.#opened, error });
  }
}
