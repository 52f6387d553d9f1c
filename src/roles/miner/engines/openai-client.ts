/** The way to an OpenAI-compatible server: calls with a key, errors as ours, streams of server-sent events. */
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { AppError, type ErrorCode } from "../../../kernel/errors.ts";
import { readEvents } from "./event-reader.ts";
import { type HttpCall, HttpCalls, readBody } from "./http-calls.ts";

/** Most of an error's text that is passed on, in characters. */
const MAX_REASON_CHARS = 200;
/** Largest answer that is not streamed, in bytes: vectors of all inputs that one job may have fit. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Largest body of an error that is read, in bytes. */
const MAX_ERROR_BYTES = 64 * 1024;

/** What ends a stream of events. */
const DONE = "[DONE]";
/** A compressed answer would come in lumps. */
const HEADERS = {
  accept: "application/json, text/event-stream",
  "accept-encoding": "identity",
  "user-agent": "aitbc",
} as const;

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

/** Takes an event of a streamed answer. A promise makes the server wait until it resolves. */
type TakeEvent = (event: unknown) => Promise<void> | undefined;

/** The calls to one server. */
export class OpenAiClient {
  readonly #server: OpenAiServer;
  readonly #calls: HttpCalls;
  /** Path before the routes. */
  readonly #base: string;

  constructor(server: OpenAiServer) {
    this.#server = server;
    this.#calls = new HttpCalls(server.url);
    this.#base = basePath(server.url);
  }

  /** Gets a JSON document. @throws AppError as `postStream` */
  getJson(path: string, signal: AbortSignal): Promise<unknown> {
    return this.#call("GET", path, undefined, signal, readJson);
  }

  /** Posts a JSON document and reads the JSON that comes back. @throws AppError as `postStream` */
  postJson(path: string, body: object, signal: AbortSignal): Promise<unknown> {
    return this.#call("POST", path, body, signal, readJson);
  }

  /**
   * Posts a JSON document and hands over the events that come back, until the server says that it is done.
   * @throws AppError ENGINE_UNAVAILABLE (not there, overloaded, or the key is refused), MODEL_NOT_FOUND,
   * INVALID_PAYLOAD, UNSUPPORTED_FEATURE, ENGINE_FAILED; what `take` throws; and the signal's reason
   */
  postStream(path: string, body: object, signal: AbortSignal, take: TakeEvent): Promise<void> {
    return this.#call("POST", path, body, signal, (answer) => {
      if (!answer.headers["content-type"]?.startsWith("text/event-stream")) {
        throw new AppError("ENGINE_FAILED", "the server does not stream its answer");
      }
      return readEvents(answer, (data) => {
        signal.throwIfAborted();
        return data === DONE ? "enough" : take(this.#parseEvent(data));
      });
    });
  }

  /** Closes every connection: calls that go on fail. */
  close(): void {
    this.#calls.close();
  }

  async #call<T>(
    method: HttpCall["method"],
    path: string,
    body: object | undefined,
    signal: AbortSignal,
    read: (answer: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const key = await this.#server.findKey();
    const call: HttpCall = {
      method,
      path: `${this.#base}${path}`,
      headers: {
        ...HEADERS,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    };
    return this.#calls.call(call, signal, async (answer) => {
      await this.#check(answer);
      return read(answer);
    });
  }

  /** @throws AppError where it is not the answer that was asked for */
  async #check(answer: IncomingMessage): Promise<void> {
    const { statusCode: status = 0, headers } = answer;
    if (status >= 300 && status < 400) {
      // Whoever followed it would hand the key and a client's text to another server.
      throw new AppError(
        "ENGINE_UNAVAILABLE",
        `the server redirects to another address (status ${status}), which is not followed; configure that address`,
        { meta: { status } },
      );
    }
    const encoding = headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      throw new AppError("ENGINE_FAILED", `the server's answer is encoded as ${shorten(encoding)}, unasked`);
    }
    if (status >= 200 && status < 300) return;
    const text = (await readBody(answer, MAX_ERROR_BYTES)).toString("utf8");
    throw refusal(this.#server, status, parseRefusal(text));
  }

  #parseEvent(data: string): unknown {
    const event = parseData(data);
    const failure = findFailure(event);
    if (failure) throw refusal(this.#server, statusOf(failure), failure);
    return event;
  }
}

/** An error of a call as one of ours. */
export function openAiError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new AppError(codeOfReason(reason), `the server broke off: ${shorten(reason)}`, { cause: error });
}

/** Path of the routes' beginning: OpenAI's own base URL has `/v1` at its end, and people leave it out. */
function basePath(url: string): string {
  const path = new URL(url).pathname.replace(/\/+$/, "");
  return path === "" ? "/v1" : path;
}

async function readJson(answer: IncomingMessage): Promise<unknown> {
  return parseData((await readBody(answer, MAX_ANSWER_BYTES)).toString("utf8"));
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError("ENGINE_FAILED", "the server's answer is no JSON", { cause });
  }
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
