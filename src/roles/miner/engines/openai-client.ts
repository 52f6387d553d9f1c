/** The way to an OpenAI-compatible server: calls with a key, errors as ours, streams of server-sent events. */
import { z } from "zod";
import { AppError, type ErrorCode } from "../../../kernel/errors.ts";
import { parseSse } from "../../../kernel/http/sse.ts";

/** Most of an error's text that is passed on, in characters. */
const MAX_REASON_CHARS = 200;
/** Largest answer that is not streamed, in bytes: vectors of all inputs that one job may have fit. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Largest body of an error that is read, in bytes. */
const MAX_ERROR_BYTES = 64 * 1024;

const ErrorBody = z.object({
  error: z.union([
    z.string(),
    z.object({ message: z.string(), code: z.union([z.string(), z.number()]).nullish() }),
  ]),
});

export interface OpenAiServer {
  /** Base URL; `/v1` is added where it has no path. */
  readonly url: string;
  /** The key as it is now; undefined for a server that wants none. */
  readonly findKey: () => Promise<string | undefined>;
  /** Where the key stands, for people. */
  readonly keyName: string;
}

/** Gets a JSON document. @throws AppError as `post` */
export async function getJson(server: OpenAiServer, path: string, signal: AbortSignal): Promise<unknown> {
  return readJson(await send(server, path, { signal }));
}

/** Posts a JSON document and reads the JSON that comes back. @throws AppError as `postStream` */
export async function postJson(
  server: OpenAiServer,
  path: string,
  body: object,
  signal: AbortSignal,
): Promise<unknown> {
  return readJson(await send(server, path, { method: "POST", body: JSON.stringify(body), signal }));
}

/**
 * Posts a JSON document and reads the events that come back, until the server says that it is done.
 * @throws AppError ENGINE_UNAVAILABLE (not there, overloaded, or the key is refused), MODEL_NOT_FOUND,
 * INVALID_PAYLOAD, UNSUPPORTED_FEATURE, ENGINE_FAILED; and the signal's reason
 */
export async function* postStream(
  server: OpenAiServer,
  path: string,
  body: object,
  signal: AbortSignal,
): AsyncGenerator<unknown, void, undefined> {
  const response = await send(server, path, { method: "POST", body: JSON.stringify(body), signal });
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  if (!isStream || !response.body)
    throw new AppError("ENGINE_FAILED", "the server does not stream its answer");
  for await (const { data } of parseSse(response.body)) {
    if (data === "[DONE]") return;
    const value = parseData(data);
    const failure = findFailure(value);
    if (failure) throw refusal(server, statusOf(failure), failure);
    yield value;
  }
}

/** An error of a call as one of ours. */
export function openAiError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new AppError(codeOfReason(reason), `the server broke off: ${shorten(reason)}`, { cause: error });
}

async function send(server: OpenAiServer, path: string, init: RequestInit): Promise<Response> {
  const key = await server.findKey();
  const headers = {
    accept: "application/json, text/event-stream",
    ...(init.body !== undefined && { "content-type": "application/json" }),
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
  // A redirect would hand the key and a client's text to another server.
  const response = await reach(`${baseOf(server.url)}${path}`, { ...init, headers, redirect: "error" });
  if (response.ok) return response;
  const text = (await readBounded(response, MAX_ERROR_BYTES)).toString("utf8");
  throw refusal(server, response.status, parseRefusal(text));
}

/** Where the routes begin: OpenAI's own base URL has `/v1` at its end, and people leave it out. */
function baseOf(url: string): string {
  const { origin, pathname } = new URL(url);
  const path = pathname.replace(/\/+$/, "");
  return `${origin}${path === "" ? "/v1" : path}`;
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    init.signal?.throwIfAborted();
    const reason =
      cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new AppError("ENGINE_UNAVAILABLE", `the server does not answer: ${shorten(reason)}`, { cause });
  }
}

async function readJson(response: Response): Promise<unknown> {
  return parseData((await readBounded(response, MAX_ANSWER_BYTES)).toString("utf8"));
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("ENGINE_FAILED", "the server's answer is no JSON", { cause });
  }
}

async function readBounded(response: Response, most: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > most) throw new AppError("ENGINE_FAILED", `the server's answer is larger than ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

type Refusal = z.infer<typeof ErrorBody>;

function parseRefusal(text: string): Refusal {
  try {
    return ErrorBody.parse(JSON.parse(text));
  } catch {
    // Something before the server (a proxy) answered in its own words.
    return { error: text };
  }
}

/** The error that an event tells. Most tell none: that is seen without trying the schema, for each token anew. */
function findFailure(event: unknown): Refusal | undefined {
  if (typeof event !== "object" || event === null || !("error" in event)) return undefined;
  return ErrorBody.safeParse(event).data;
}

/** Errors inside a stream carry the status as their code, if at all. */
function statusOf({ error }: Refusal): number {
  return typeof error === "object" && typeof error.code === "number" ? error.code : 500;
}

function refusal(server: OpenAiServer, status: number, { error }: Refusal): AppError {
  const reason = typeof error === "string" ? error : error.message;
  const said = typeof error === "string" ? undefined : error.code;
  if (status === 401 || status === 403) {
    return new AppError(
      "ENGINE_UNAVAILABLE",
      `the server does not accept ${server.keyName}: ${shorten(reason)}`,
      { meta: { status } },
    );
  }
  const code = said === "unsupported_parameter" ? "UNSUPPORTED_FEATURE" : codeOfStatus(status, reason);
  return new AppError(code, `the server: ${shorten(reason)}`, { meta: { status } });
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: "INVALID_PAYLOAD",
  402: "ENGINE_UNAVAILABLE",
  404: "MODEL_NOT_FOUND",
  413: "INVALID_PAYLOAD",
  422: "INVALID_PAYLOAD",
  429: "ENGINE_UNAVAILABLE",
  502: "ENGINE_UNAVAILABLE",
  503: "ENGINE_UNAVAILABLE",
  504: "ENGINE_UNAVAILABLE",
};

const codeOfStatus = (status: number, reason: string): ErrorCode => CODES[status] ?? codeOfReason(reason);

/** Servers say with several statuses that something is too long: it stays too long. */
function codeOfReason(reason: string): ErrorCode {
  return /exceed\w*.*context|context (length|size|window).*exceed|maximum context length/i.test(reason)
    ? "INVALID_PAYLOAD"
    : "ENGINE_FAILED";
}

function shorten(reason: string): string {
  const line = reason.replace(/\s+/g, " ").trim() || "no reason given";
  return line.slice(0, MAX_REASON_CHARS);
}
