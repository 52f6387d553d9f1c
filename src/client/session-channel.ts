import type { Socket } from "node:net";
import WebSocket from "ws";
import type { Channel } from "../kernel/channel.ts";
import { AppError } from "../kernel/errors.ts";
import { channelOverSocket, watchSocket } from "../kernel/socket-channel.ts";
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
  let connection: Socket | undefined;
  socket.once("upgrade", (response) => {
    connection = response.socket;
  });
  const channel = channelOverSocket(socket, () => connection);
  await opened(socket, options);
  watchSocket(socket, options.pingMs);
  return channel;
}
