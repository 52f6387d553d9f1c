import type { WebSocket } from "ws";
import { type Channel, CLOSE, type RawFrame } from "../channel.ts";

/** How often a silent connection is asked for a sign of life, in ms; two misses end it. */
const PING_INTERVAL_MS = 10_000;

/** Ends connections whose other side has gone without a word. */
function watchLiveness(socket: WebSocket): void {
  let alive = true;
  socket.on("pong", () => {
    alive = true;
  });
  const timer = setInterval(() => {
    if (!alive) return socket.terminate();
    alive = false;
    socket.ping();
  }, PING_INTERVAL_MS);
  timer.unref();
  socket.on("close", () => clearInterval(timer));
}

/** An open WebSocket as a channel of text frames. Binary frames close it; so does a silent other side. */
export function channelOverSocket(socket: WebSocket): Channel {
  watchLiveness(socket);
  const early: RawFrame[] = [];
  let onFrame: ((frame: RawFrame) => void) | undefined;
  let closeReason: string | undefined;
  let onClose: ((reason: string) => void) | undefined;
  socket.on("message", (data, isBinary) => {
    if (isBinary) return socket.close(CLOSE.protocolError, "text frames only");
    const frame = data.toString();
    if (onFrame) onFrame(frame);
    else early.push(frame);
  });
  // An error is always followed by "close", which tells the owner.
  socket.on("error", (error) => {
    closeReason ??= error.message;
  });
  socket.on("close", (code, reason) => {
    closeReason ??= reason.toString() || `closed with code ${code}`;
    onClose?.(closeReason);
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
      if (socket.readyState === socket.CLOSED) listener(closeReason ?? "closed");
    },
    close(code, reason) {
      socket.close(code, reason.slice(0, 120));
    },
  };
}
