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

/** Makes a channel of a socket. Frames that come before somebody listens are kept for the listener. */
export function channelOverSocket(socket: WebSocket): Channel {
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
      return socket.bufferedAmount;
    },
    send(frame) {
      if (socket.readyState === socket.OPEN) socket.send(frame);
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
