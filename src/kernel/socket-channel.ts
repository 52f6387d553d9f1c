import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { type Channel, CLOSE, type RawFrame } from "./channel.ts";

/** A ping each 10 s: below the idle limits of common proxies (30 to 60 s), and a dead line shows within 20 s. */
const PING_MS = 10_000;
/** Longest reason in a close frame, in bytes (RFC 6455 §5.5: a control frame carries 125, two are the code). */
const MAX_REASON_BYTES = 123;

/** Cuts a text to so many bytes of UTF-8 without splitting a character. */
function cutBytes(text: string, maxBytes: number): string {
  const bytes = new TextEncoder().encode(text);
  return new TextDecoder().decode(bytes.subarray(0, maxBytes)).replace(/\uFFFD$/, "");
}

/** Pings until the socket closes; a side that shows no sign of life between two pings is cut off. */
export function watchSocket(socket: WebSocket, pingMs: number = PING_MS): void {
  let alive = true;
  const sign = (): void => {
    alive = true;
  };
  socket.on("pong", sign).on("ping", sign).on("message", sign);
  const timer = setInterval(() => {
    if (!alive) return socket.terminate();
    alive = false;
    socket.ping();
  }, pingMs);
  // The socket itself keeps the process; the check for its life does not.
  timer.unref();
  socket.once("close", () => clearInterval(timer));
}

/**
 * Makes what is sent in one turn of the event loop leave a connection together: of small frames each would else cost a
 * system call on either side.
 */
class TurnGatherer {
  readonly #connection: () => Socket | undefined;
  #held: { readonly bufferedBytes: number } | undefined;

  constructor(connection: () => Socket | undefined) {
    this.#connection = connection;
  }

  /** Holds back what is sent from here on, to the end of the turn. */
  begin(bufferedBytes: number): void {
    const connection = this.#connection();
    if (this.#held || !connection) return;
    this.#held = { bufferedBytes };
    connection.cork();
    process.nextTick(() => {
      this.#held = undefined;
      connection.uncork();
    });
  }

  /** What waited before this turn: what is gathered leaves with the turn. */
  bufferedBytes(now: number): number {
    return this.#held?.bufferedBytes ?? now;
  }
}

/**
 * Makes a channel of a socket. Frames that come before somebody listens are kept for the listener. `connection` is what
 * the socket runs over, where that is known.
 */
export function channelOverSocket(
  socket: WebSocket,
  connection: () => Socket | undefined = () => undefined,
): Channel {
  const turn = new TurnGatherer(connection);
  const early: RawFrame[] = [];
  let onFrame: ((frame: RawFrame) => void) | undefined;
  let onClose: ((reason: string) => void) | undefined;
  let closedBecause: string | undefined;
  let trouble: string | undefined;
  socket.on("message", (data, isBinary) => {
    if (isBinary) return socket.close(CLOSE.protocolError, "frames are text");
    const frame = data.toString();
    if (onFrame) onFrame(frame);
    else early.push(frame);
  });
  socket.on("error", (error) => {
    trouble = error.message;
  });
  socket.on("close", (code, reason) => {
    closedBecause = reason.toString() || trouble || `closed with ${code}`;
    onClose?.(closedBecause);
  });
  return {
    get bufferedBytes() {
      return turn.bufferedBytes(socket.bufferedAmount);
    },
    send(frame) {
      if (socket.readyState !== socket.OPEN) return;
      turn.begin(socket.bufferedAmount);
      socket.send(frame);
    },
    onFrame(listener) {
      onFrame = listener;
      for (const frame of early.splice(0)) listener(frame);
    },
    onClose(listener) {
      onClose = listener;
      if (closedBecause !== undefined) listener(closedBecause);
    },
    close(code, reason) {
      socket.close(code, cutBytes(reason, MAX_REASON_BYTES));
    },
  };
}
