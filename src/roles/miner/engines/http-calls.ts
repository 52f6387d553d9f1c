/**
 * Calls to one server over kept connections. By Node's own HTTP client: `fetch` passes each part of an answer through
 * web streams, which costs more than all else that is done for a token.
 */
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { AppError } from "../../../kernel/errors.ts";
import { MAX_SLOTS } from "../../../wire/limits.ts";

/** Most connections to the server: one for each job that may run, and as many whose answers are about to end. */
const MAX_SOCKETS = 2 * MAX_SLOTS;
/** How long a connection without a call is kept, in ms: common servers close theirs after five seconds. */
const IDLE_MS = 4_000;
/** How long an answer that was read may take to end, in ms, before its connection is given up. */
const END_MS = 1_000;

export interface HttpCall {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The calls to one server. Redirects are not followed, and no proxy is asked. */
export class HttpCalls {
  readonly #secure: boolean;
  readonly #address: { readonly hostname: string; readonly port: string };
  readonly #kept: HttpAgent | HttpsAgent;
  /** Opens a connection for each call. */
  readonly #fresh: HttpAgent | HttpsAgent;

  /** Of `origin`, an http: or https: URL, only host and port count. */
  constructor(origin: string) {
    const { protocol, hostname, port } = new URL(origin);
    this.#secure = protocol === "https:";
    this.#address = { hostname: hostname.replace(/^\[|\]$/g, ""), port };
    const Agent = this.#secure ? HttpsAgent : HttpAgent;
    const limits = { maxSockets: MAX_SOCKETS, noDelay: true };
    this.#kept = new Agent({ ...limits, keepAlive: true, maxFreeSockets: MAX_SLOTS, timeout: IDLE_MS });
    this.#fresh = new Agent(limits);
  }

  /**
   * Makes a call, and reads its answer with `read`. When the signal aborts, the connection is closed at once.
   * @throws AppError ENGINE_UNAVAILABLE when no answer comes; what `read` throws; the signal's reason
   */
  async call<T>(
    call: HttpCall,
    signal: AbortSignal,
    read: (answer: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#attempt(this.#kept, call, signal, read);
    } catch (error) {
      if (!(error instanceof ClosedConnection)) throw error;
      return await this.#attempt(this.#fresh, call, signal, read);
    }
  }

  /** Closes every connection. */
  close(): void {
    this.#kept.destroy();
    this.#fresh.destroy();
  }

  async #attempt<T>(
    agent: HttpAgent | HttpsAgent,
    call: HttpCall,
    signal: AbortSignal,
    read: (answer: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const request = this.#send(agent, call);
    const stop = (): void => void request.destroy();
    signal.addEventListener("abort", stop, { once: true });
    try {
      const answer = await answerTo(request);
      const value = await read(answer);
      letEnd(request, answer);
      return value;
    } catch (error) {
      request.destroy();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  #send(agent: HttpAgent | HttpsAgent, { method, path, headers, body }: HttpCall): ClientRequest {
    const request = this.#secure ? httpsRequest : httpRequest;
    try {
      const sent = request({ ...this.#address, agent, method, path, headers });
      sent.end(body);
      return sent;
    } catch (error) {
      // A header that cannot be sent, of which the error tells the name and not the value.
      throw unanswered(error);
    }
  }
}

/** A kept connection that the server had closed by the time it was used again: the call was not seen by anyone. */
class ClosedConnection extends Error {}

/** What breaks a connection that is closed on the other side: the one while it is read, the other while written. */
const CLOSED: ReadonlySet<unknown> = new Set(["ECONNRESET", "EPIPE"]);

/** The answer, its body unread. @throws ClosedConnection, AppError ENGINE_UNAVAILABLE */
function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  let bytesBefore = 0;
  request.once("socket", (socket) => {
    bytesBefore = socket.bytesRead;
  });
  request.once("response", resolve);
  // Stays: an error that nobody listens to would end the process.
  request.on("error", (error: NodeJS.ErrnoException) => {
    const unseen = request.reusedSocket && request.socket?.bytesRead === bytesBefore;
    reject(unseen && CLOSED.has(error.code) ? new ClosedConnection() : unanswered(error));
  });
  return promise;
}

/** Lets an answer end that was read as far as it matters: its connection then serves the next call. */
function letEnd(request: ClientRequest, answer: IncomingMessage): void {
  if (answer.readableEnded) return;
  const timer = setTimeout(() => request.destroy(), END_MS);
  // How it ends matters to nobody any more.
  answer.on("error", () => {});
  answer.once("close", () => clearTimeout(timer));
  answer.resume();
}

function unanswered(cause: unknown): AppError {
  return new AppError("ENGINE_UNAVAILABLE", `the server does not answer: ${reasonOf(cause)}`, { cause });
}

/** Where a host has several addresses, what went wrong stands in the error of each. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

/** Reads the whole body of an answer. @throws AppError ENGINE_FAILED when it is larger; why it broke off */
export async function readBody(answer: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > mostBytes) {
      throw new AppError("ENGINE_FAILED", `the server's answer is larger than ${mostBytes} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}
