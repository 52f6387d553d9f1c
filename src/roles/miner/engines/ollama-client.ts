/**
 * The way to an Ollama server: the package `ollama` over a fetch of our own. The package skips lines that it cannot
 * parse, which would leave a hole in an answer, and prints them, which would put a client's text into a log; so
 * nothing but whole lines of JSON and successful answers ever reach it.
 */
import { connect } from "node:net";
import type { Ollama } from "ollama/browser";
import { z } from "zod";
import { AppError, type ErrorCode } from "../../../kernel/errors.ts";

/** Longest line of a streamed answer, in characters: one holds a token or, at the end, some counters. */
const MAX_LINE_CHARS = 1024 * 1024;
/** Most of an error's text that is passed on, in characters. */
const MAX_REASON_CHARS = 200;

const ErrorBody = z.object({ error: z.string() });

/** A server, and what it wants of its callers. */
export interface OllamaServerAddress {
  /** As `http://127.0.0.1:11434`. */
  readonly url: string;
  /** The key as it is now; absent, or undefined, for a server that wants none. */
  readonly findKey?: () => Promise<string | undefined>;
}

/**
 * A client whose calls all end when the signal aborts. The package is loaded with the first: it brings Node's HTTP
 * client with it, which a machine without Ollama never needs.
 */
export async function openOllama(
  { url, findKey }: OllamaServerAddress,
  signal: AbortSignal,
): Promise<Ollama> {
  const { Ollama } = await import("ollama/browser");
  const key = await findKey?.();
  return new Ollama({
    host: url,
    fetch: (input, init) => fetchChecked(input, init, signal),
    ...(key !== undefined && { headers: { authorization: `Bearer ${key}` } }),
  });
}

/** Why nothing can be reached at an address within so many ms; undefined when something listens there. */
export function findDeaf(url: string, timeoutMs: number): Promise<string | undefined> {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) || (protocol === "https:" ? 443 : 80) });
    const end = (reason: string | undefined): void => {
      socket.destroy();
      resolve(reason);
    };
    socket.setTimeout(timeoutMs, () => end(`no connection within ${timeoutMs} ms`));
    socket.once("connect", () => end(undefined));
    socket.once("error", (error) => end(error.message));
  });
}

/** An error of a call to Ollama as one of ours. `what` says what was tried. */
export function ollamaError(error: unknown, what: string): AppError {
  if (error instanceof AppError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new AppError(codeOfMessage(reason), `${what}: ${shorten(reason)}`, { cause: error });
}

async function fetchChecked(
  input: Parameters<typeof fetch>[0],
  init: RequestInit | undefined,
  signal: AbortSignal,
): Promise<Response> {
  const response = await reach(input, {
    ...init,
    signal: init?.signal ? AbortSignal.any([signal, init.signal]) : signal,
    // Whoever answers at the configured address, answers there.
    redirect: "error",
  });
  if (!response.ok) throw await refusal(response);
  const streamed = response.headers.get("content-type")?.includes("ndjson") ?? false;
  return streamed && response.body
    ? new Response(response.body.pipeThrough(wholeLines()), { headers: response.headers })
    : response;
}

async function reach(input: Parameters<typeof fetch>[0], init: RequestInit): Promise<Response> {
  try {
    return await fetch(input, init);
  } catch (cause) {
    init.signal?.throwIfAborted();
    const reason =
      cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new AppError("ENGINE_UNAVAILABLE", `Ollama does not answer: ${shorten(reason)}`, { cause });
  }
}

async function refusal(response: Response): Promise<AppError> {
  const text = await response.text();
  let reason = text;
  try {
    reason = ErrorBody.parse(JSON.parse(text)).error;
  } catch {
    // Something before the server (a proxy) answered in its own words.
  }
  const { status } = response;
  if (status === 401 || status === 403) {
    const detail = `the Ollama server does not accept the key of miner.engines.ollama.api_key_file: ${shorten(reason)}`;
    return new AppError("ENGINE_UNAVAILABLE", detail, { meta: { status } });
  }
  return new AppError(codeOfStatus(status, reason), `Ollama: ${shorten(reason)}`, { meta: { status } });
}

function codeOfStatus(status: number, reason: string): ErrorCode {
  if (status === 404) return "MODEL_NOT_FOUND";
  if (status === 400) return "INVALID_PAYLOAD";
  if (status === 503 || status === 502) return "ENGINE_UNAVAILABLE";
  return codeOfMessage(reason);
}

/** Servers say the same thing with several statuses, or in the middle of a stream: too long stays too long. */
function codeOfMessage(reason: string): ErrorCode {
  return /exceed\w*.*context|context (length|size|window).*exceed/i.test(reason)
    ? "INVALID_PAYLOAD"
    : "ENGINE_FAILED";
}

function shorten(reason: string): string {
  const line = reason.replace(/\s+/g, " ").trim() || "no reason given";
  return line.slice(0, MAX_REASON_CHARS);
}

/** Passes whole lines of JSON on; anything else breaks the stream. */
function wholeLines(): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let held = "";
  const pass = (line: string, controller: TransformStreamDefaultController<Uint8Array>): void => {
    if (line.trim() === "") return;
    try {
      JSON.parse(line);
    } catch {
      throw new AppError("ENGINE_FAILED", "Ollama's answer is cut off or no JSON");
    }
    controller.enqueue(encoder.encode(`${line}\n`));
  };
  return new TransformStream({
    transform(bytes, controller) {
      held += decoder.decode(bytes, { stream: true });
      const lines = held.split("\n");
      held = lines.pop() ?? "";
      if (held.length > MAX_LINE_CHARS) throw new AppError("ENGINE_FAILED", "Ollama sent an endless line");
      for (const line of lines) pass(line, controller);
    },
    flush: (controller) => pass(held + decoder.decode(), controller),
  });
}
