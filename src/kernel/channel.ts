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
  /** The way of frames that need not become text, where both ends are in one process and agreed on it. */
  readonly direct?: DirectWay;
}

/**
 * Hands frames over as they are, in their order with those that go as text. Nobody changes a frame any more that was
 * handed over.
 */
export interface DirectWay {
  send(frame: object): void;
  onFrame(listener: (frame: object) => void): void;
}

/** WebSocket close codes in use (RFC 6455 §7.4.1, and the IANA registry for 1013). */
export const CLOSE = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  tooBig: 1009,
  tryLater: 1013,
} as const;

interface End {
  frame?: (frame: RawFrame) => void;
  handed?: (frame: object) => void;
  closed?: (reason: string) => void;
  readonly early: RawFrame[];
}

/**
 * Two ends in one process. What one end sends, the other hears in a later microtask, in order; what was sent
 * before a close is still heard, as over a WebSocket. With `direct` both ends have a direct way, on which they listen
 * before the other end uses it.
 */
export function createChannelPair(options: { readonly direct: boolean }): readonly [Channel, Channel] {
  const ends: readonly [End, End] = [{ early: [] }, { early: [] }];
  let open = true;
  let closing = false;
  let closeReason = "";
  const deliver = (end: End, frame: RawFrame): void => {
    if (end.frame) end.frame(frame);
    else end.early.push(frame);
  };
  const makeDirect = (own: End, other: End): DirectWay => ({
    send(frame) {
      if (!closing) queueMicrotask(() => open && other.handed?.(frame));
    },
    onFrame(listener) {
      own.handed = listener;
    },
  });
  const make = (own: End, other: End): Channel => ({
    ...(options.direct && { direct: makeDirect(own, other) }),
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
