import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { AppError } from "../kernel/errors.ts";
import type { RouteContract } from "../kernel/http/contract.ts";
import { parseJson } from "../kernel/json.ts";
import { problemToError, timeoutError, unreachableError } from "./failure.ts";

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

export interface TransportOptions {
  /** Base URL of the daemon; a path in front of the routes is kept. */
  readonly url: string;
  readonly apiKey?: string | undefined;
  /** Longest wait for an answer, in ms. */
  readonly timeoutMs: number;
  readonly fetch?: Fetch;
}

export interface CallInput {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** A body that is sent as it is read, instead of `body`; `content-type` is among the headers. */
  readonly content?: ReadableStream<Uint8Array>;
  /** Longest wait where another one than the transport's is needed, in ms. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Calls routes of a daemon. */
export interface Transport {
  /** Base URL, without a slash at its end. */
  readonly url: string;
  /**
   * Calls a route and checks the answer. Calls that are safe to repeat are repeated a few times.
   * @throws AppError: the daemon's own, or UNREACHABLE, TIMEOUT, INTERRUPTED, PROTOCOL_VIOLATION
   */
  call<T>(route: RouteContract, schema: z.ZodType<T>, input?: CallInput): Promise<T>;
  /** Calls a route once and returns its answer unread; the time limit ends with the headers. */
  open(route: RouteContract, input?: CallInput): Promise<Response>;
}

/** How often one call is tried: two repeats bridge a restart of a daemon behind a proxy. */
const MAX_TRIES = 3;
/** First wait between tries in ms; it doubles. */
const RETRY_BASE_MS = 200;
/** Longest wait between tries that a server's Retry-After can ask for, in ms. */
const MAX_RETRY_MS = 5_000;
/** Largest answer that is read, in bytes: a result of 1 MiB with every character escaped fits. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Fills the `:name` parameters of a path and adds a query. */
function buildUrl(base: string, path: string, input: CallInput): string {
  const filled = path.replaceAll(/:(\w+)/g, (_all, name: string) =>
    encodeURIComponent(input.params?.[name] ?? ""),
  );
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(input.query ?? {})) {
    if (value !== undefined) query.set(name, String(value));
  }
  return `${base}${filled}${query.size > 0 ? `?${query}` : ""}`;
}

/** Whether a call can be repeated without doing its work twice. */
function isRepeatable(route: RouteContract, input: CallInput): boolean {
  // What was read of a stream is gone.
  if (input.content) return false;
  return route.method !== "POST" || input.headers?.["idempotency-key"] !== undefined;
}

/** Whether a repeat may help: a broken connection, or a server that asks to come again. */
function isPassing(error: unknown): error is AppError {
  if (!(error instanceof AppError)) return false;
  if (error.code === "UNREACHABLE")
    return error.meta["broken"] === true || error.meta["status"] !== undefined;
  return ["RATE_LIMITED", "SHUTTING_DOWN", "OUTCOME_UNKNOWN"].includes(error.code);
}

function waitMs(error: AppError, tries: number): number {
  const asked = error.meta["retry_after_seconds"];
  const own = RETRY_BASE_MS * 2 ** (tries - 1);
  // A random part keeps many clients from coming back in one wave.
  return typeof asked === "number" ? Math.min(asked * 1000, MAX_RETRY_MS) : own + randomInt(own);
}

async function readBounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > MAX_ANSWER_BYTES) throw new AppError("PROTOCOL_VIOLATION", "the answer is too large");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function checkAnswer<T>(schema: z.ZodType<T>, text: string, url: string): T {
  const hint = "is that the URL of an aitbc daemon, and of about the same version?";
  try {
    const parsed = schema.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const detail = `${url} answered with something unexpected: /${issue?.path.join("/") ?? ""}: ${issue?.message ?? ""}`;
    throw new AppError("PROTOCOL_VIOLATION", detail, { meta: { hint } });
  } catch (cause) {
    if (cause instanceof AppError && cause.code === "PROTOCOL_VIOLATION") throw cause;
    throw new AppError("PROTOCOL_VIOLATION", `${url} did not answer with JSON`, { meta: { hint }, cause });
  }
}

/** Runs a part of a call under its limits and names what went wrong. */
async function guarded<T>(
  url: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeoutMs);
  try {
    return await work(signal ? AbortSignal.any([signal, limit.signal]) : limit.signal);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    if (signal?.aborted) throw new AppError("INTERRUPTED", "interrupted", { cause });
    if (limit.signal.aborted) throw timeoutError(url, timeoutMs, cause);
    throw unreachableError(url, cause);
  } finally {
    clearTimeout(timer);
  }
}

/** Creates a transport over `fetch`. It opens no connection yet. */
export function createTransport(options: TransportOptions): Transport {
  const base = options.url.replace(/\/+$/, "");
  const doFetch: Fetch = options.fetch ?? ((input, init) => fetch(input, init));

  const send = async (route: RouteContract, input: CallInput, signal: AbortSignal): Promise<Response> => {
    const headers = new Headers({ accept: "application/json, application/problem+json", ...input.headers });
    if (options.apiKey !== undefined) headers.set("x-api-key", options.apiKey);
    if (input.body !== undefined) headers.set("content-type", "application/json");
    const response = await doFetch(buildUrl(base, route.path, input), {
      method: route.method,
      headers,
      signal,
      // A redirect would hand the API key to another server.
      redirect: "error",
      ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) }),
      // `fetch` wants to know that it need not read an answer before it has sent all.
      ...(input.content && { body: input.content, duplex: "half" }),
    });
    if (!response.ok) throw problemToError(response, await readBounded(response));
    return response;
  };

  const once = <T>(route: RouteContract, schema: z.ZodType<T>, input: CallInput): Promise<T> =>
    guarded(base, input.timeoutMs ?? options.timeoutMs, input.signal, async (signal) => {
      const text = await readBounded(await send(route, input, signal));
      return checkAnswer(schema, text, `${route.method} ${base}${route.path}`);
    });

  return {
    url: base,
    async call(route, schema, input = {}) {
      for (let tries = 1; ; tries++) {
        try {
          return await once(route, schema, input);
        } catch (error) {
          if (tries >= MAX_TRIES || !isRepeatable(route, input) || !isPassing(error)) throw error;
          await sleep(waitMs(error, tries), undefined, input.signal ? { signal: input.signal } : {});
        }
      }
    },
    open(route, input = {}) {
      // The time limit guards the headers only; the caller's signal must reach the body as well.
      const body = new AbortController();
      input.signal?.addEventListener("abort", () => body.abort(), { once: true });
      return guarded(base, options.timeoutMs, input.signal, (signal) => {
        signal.addEventListener("abort", () => body.abort(), { once: true });
        if (signal.aborted) body.abort();
        return send(route, input, body.signal);
      });
    },
  };
}
