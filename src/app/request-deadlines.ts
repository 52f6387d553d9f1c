import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { AppError } from "../kernel/errors.ts";
import { refuse } from "./refused-requests.ts";

/** How long the bodies of requests may take. All times in ms. */
export interface DeadlineLimits {
  /** From the end of the headers to the end of the body. */
  readonly bodyMs: number;
  /** Streamed bodies: longest time without a byte. */
  readonly idleMs: number;
  /** Streamed bodies: what they must bring on average, in bytes a second, once `idleMs` have passed. */
  readonly leastBytesPerSecond: number;
  /** How often is looked. */
  readonly checkMs: number;
}

/** Together with the 10 s that headers may take, a request is there within 30 s (design §12). */
const BODY_MS = 20_000;
/** A sender that is silent this long has gone, or holds the connection for nothing. */
const IDLE_MS = 30_000;
/** A modem's speed twice over: whoever sends less would hold a file and a connection for days. */
const LEAST_BYTES_PER_SECOND = 16 * 1024;
const CHECK_MS = 1_000;

const DEADLINE_LIMITS: DeadlineLimits = {
  bodyMs: BODY_MS,
  idleMs: IDLE_MS,
  leastBytesPerSecond: LEAST_BYTES_PER_SECOND,
  checkMs: CHECK_MS,
};

const MS_PER_SECOND = 1000;

/** A body that is arriving. Times are monotonic ms, bytes those of its connection. */
interface Arriving {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Told when it is looked at first: most bodies are there before. */
  isStreamed: boolean | undefined;
  readonly beganAt: number;
  readonly bytesBefore: number;
  bytes: number;
  movedAt: number;
}

/**
 * Cuts off requests whose bodies arrive too slowly. Node has one limit for all requests of a server, and a body
 * that is streamed may take as long as its size needs, as long as it moves on.
 */
export class RequestDeadlines {
  readonly #limits: DeadlineLimits;
  readonly #isStreamed: (request: IncomingMessage) => boolean;
  readonly #arriving = new Set<Arriving>();

  /** @param isStreamed whether a request's body is streamed, by its method and path */
  constructor(
    server: Server,
    isStreamed: (request: IncomingMessage) => boolean,
    limits: DeadlineLimits = DEADLINE_LIMITS,
  ) {
    this.#limits = limits;
    this.#isStreamed = isStreamed;
    // Node's own limit would count for streamed bodies too. That of headers stays.
    server.requestTimeout = 0;
    server.prependListener("request", (request: IncomingMessage, response: ServerResponse) =>
      this.#watch(request, response),
    );
    const timer = setInterval(() => this.#check(), limits.checkMs);
    timer.unref();
    server.once("close", () => clearInterval(timer));
  }

  #watch(request: IncomingMessage, response: ServerResponse): void {
    const { headers, socket } = request;
    if (headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0) return;
    const now = performance.now();
    const arriving: Arriving = {
      request,
      response,
      isStreamed: undefined,
      beganAt: now,
      bytesBefore: socket.bytesRead,
      bytes: socket.bytesRead,
      movedAt: now,
    };
    this.#arriving.add(arriving);
    request.once("end", () => this.#arriving.delete(arriving));
  }

  #check(): void {
    const now = performance.now();
    for (const arriving of this.#arriving) {
      const { request } = arriving;
      // Not `close`: a body that nobody reads goes on arriving after the answer.
      if (request.complete || request.socket.destroyed) this.#arriving.delete(arriving);
      else {
        const why = this.#whyLate(arriving, now);
        if (why === undefined) continue;
        this.#arriving.delete(arriving);
        cutOff(arriving, why);
      }
    }
  }

  #whyLate(arriving: Arriving, now: number): string | undefined {
    const { bodyMs, idleMs, leastBytesPerSecond } = this.#limits;
    const { socket } = arriving.request;
    const ms = now - arriving.beganAt;
    arriving.isStreamed ??= this.#isStreamed(arriving.request);
    if (!arriving.isStreamed) return ms > bodyMs ? `the body took longer than ${seconds(bodyMs)}` : undefined;
    // A sender that is made to wait is not at fault.
    if (socket.bytesRead > arriving.bytes || socket.isPaused()) {
      arriving.bytes = socket.bytesRead;
      arriving.movedAt = now;
    }
    if (now - arriving.movedAt > idleMs) return `nothing came for ${seconds(idleMs)}`;
    const sent = arriving.bytes - arriving.bytesBefore;
    const allowedMs = idleMs + (sent / leastBytesPerSecond) * MS_PER_SECOND;
    return ms > allowedMs && !socket.isPaused()
      ? `an upload brings at least ${leastBytesPerSecond} bytes a second`
      : undefined;
  }
}

const seconds = (ms: number): string => `${ms / MS_PER_SECOND} s`;

/**
 * Answers 408 and closes, below the HTTP layer: whoever handles the request waits for its body, and hears that
 * the connection broke. An answer that has begun is only cut off.
 */
function cutOff({ request: { socket }, response }: Arriving, why: string): void {
  if (!socket.writable || response.headersSent) {
    socket.destroy();
    return;
  }
  refuse(socket, new AppError("REQUEST_TIMEOUT", `${why}; send it again, faster`), "timed-out");
}
