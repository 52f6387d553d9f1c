/** One text frame. */
export type RawFrame = string;

/**
 * A two-way stream of text frames: a WebSocket, or two ends in one process. Frames arrive in order; after
 * `onClose` nothing arrives.
 */
export interface Channel {
  send(frame: RawFrame): void;
  /** Bytes that were sent and have not left yet. */
  readonly bufferedBytes: number;
  onFrame(listener: (frame: RawFrame) => void): void;
  onClose(listener: (reason: string) => void): void;
  /** Closes both directions. `code` is a WebSocket close code. */
  close(code: number, reason: string): void;
}

/** WebSocket close codes in use (RFC 6455 §7.4.1, and the IANA registry for 1013). */
export const CLOSE = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  tooBig: 1009,
  tryLater: 1013,
} as const;

type End = { frame?: (frame: RawFrame) => void; closed?: (reason: string) => void; early: RawFrame[] };

/**
 * Two ends in one process. What one end sends, the other hears in a later microtask, in order; what was sent
 * before a close is still heard, as over a WebSocket.
 */
export function createChannelPair(): readonly [Channel, Channel] {
  const ends: readonly [End, End] = [{ early: [] }, { early: [] }];
  let open = true;
  let closing = false;
  let closeReason = "";
  const deliver = (end: End, frame: RawFrame): void => {
    if (end.frame) end.frame(frame);
    else end.early.push(frame);
  };
  const make = (own: End, other: End): Channel => ({
    bufferedBytes: 0,
    send(frame) {
      if (!closing) queueMicrotask(() => open && deliver(other, frame));
    },
    onFrame(listener) {
      own.frame = listener;
      for (const frame of own.early.splice(0)) listener(frame);
    },
    onClose(listener) {
      own.closed = listener;
      // A late listener hears of the close too.
      if (!open) queueMicrotask(() => listener(closeReason));
    },
    close(_code, reason) {
      if (closing) return;
      closing = true;
      closeReason = reason;
      queueMicrotask(() => {
        open = false;
        for (const end of ends) end.closed?.(reason);
      });
    },
  });
  return [make(ends[0], ends[1]), make(ends[1], ends[0])];
}
