import WebSocket from "ws";
import { type Channel, CLOSE, type RawFrame } from "../kernel/channel.ts";
import { AppError } from "../kernel/errors.ts";
import { MAX_FRAME_BYTES } from "../wire/limits.ts";
import { minerSession } from "../wire/session.ts";
import { codeOfStatus, timeoutError, unreachableError } from "./failure.ts";

export interface SessionChannelOptions {
  /** Base URL of the coordinator: http, https, ws or wss. */
  readonly url: string;
  readonly apiKey: string;
  /** Longest wait for the connection, in ms. */
  readonly connectTimeoutMs?: number;
  /** How often the other side must show that it lives, in ms. */
  readonly pingMs?: number;
  /** Gives up waiting for the connection; does not close it afterwards. */
  readonly signal?: AbortSignal;
}

/** Longest wait for a connection: a coordinator that needs longer is better tried again. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A ping each 10 s: below the idle limits of common proxies (30 to 60 s), and a dead line shows within 20 s. */
const PING_MS = 10_000;
/** Longest reason in a close frame, in bytes (RFC 6455 §5.5: a control frame carries 125, two are the code). */
const MAX_REASON_BYTES = 123;

/** The WebSocket URL of the miners' session: http becomes ws, https becomes wss. */
export function sessionUrl(base: string): string {
  return `${base.replace(/^http/i, "ws").replace(/\/+$/, "")}${minerSession.path}`;
}

function refused(url: string, status: number): AppError {
  const code = codeOfStatus(status);
  if (status === 401 || status === 403) {
    const hint = "create one with: aitbc keys create --kind miner, and set AITBC_API_KEY to it";
    return new AppError(code, "the coordinator does not accept this miner's API key", { meta: { hint } });
  }
  return new AppError(code, `${url} refused the miner's session with status ${status}`, {
    meta: { hint: "is that the URL of a coordinator?" },
  });
}

/** Waits until a socket is open. One that fails to open is cut off. */
function opened(socket: WebSocket, options: SessionChannelOptions): Promise<void> {
  const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
    };
    const fail = (error: AppError): void => {
      settle();
      socket.terminate();
      reject(error);
    };
    const timer = setTimeout(() => fail(timeoutError(options.url, timeoutMs, undefined)), timeoutMs);
    const onAbort = (): void => fail(new AppError("INTERRUPTED", "interrupted while connecting"));
    options.signal?.addEventListener("abort", onAbort, { once: true });
    socket.once("unexpected-response", (_request, response) => {
      fail(refused(options.url, response.statusCode ?? 0));
    });
    socket.once("error", (error) => fail(unreachableError(options.url, error)));
    socket.once("open", () => {
      settle();
      resolve();
    });
    if (options.signal?.aborted) onAbort();
  });
}

/** Cuts a text to so many bytes of UTF-8 without splitting a character. */
function cutBytes(text: string, maxBytes: number): string {
  const bytes = new TextEncoder().encode(text);
  return new TextDecoder().decode(bytes.subarray(0, maxBytes)).replace(/\uFFFD$/, "");
}

/** Pings until the socket closes; a side that shows no sign of life between two pings is cut off. */
function watch(socket: WebSocket, pingMs: number): void {
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
  socket.once("close", () => clearInterval(timer));
}

/** Makes a channel of a socket. Frames that come before somebody listens are kept for the listener. */
function toChannel(socket: WebSocket): Channel {
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
      if (socket.readyState === WebSocket.OPEN) socket.send(frame);
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

/**
 * Opens a miner's session with a coordinator elsewhere.
 * @throws AppError UNAUTHORIZED_KEY, UNREACHABLE, TIMEOUT, INTERRUPTED
 */
export async function openSessionChannel(options: SessionChannelOptions): Promise<Channel> {
  const socket = new WebSocket(sessionUrl(options.url), {
    headers: { "x-api-key": options.apiKey },
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    followRedirects: false,
  });
  // Before the socket opens: the coordinator's first frame may come with the answer to the upgrade.
  const channel = toChannel(socket);
  await opened(socket, options);
  watch(socket, options.pingMs ?? PING_MS);
  return channel;
}
