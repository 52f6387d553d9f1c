import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { AppError } from "../kernel/errors.ts";
import { problemResponse } from "../kernel/http/problem.ts";

/** How long a refused sender has to read the refusal, in ms. */
const LINGER_MS = 1_000;

/** What is said when no answer can be made of a request: it never became one. */
function toAppError(code: string | undefined, headersMs: number): AppError {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new AppError(
        "REQUEST_TIMEOUT",
        `the headers took longer than ${headersMs / 1000} s; send the request again, nothing was done`,
      );
    case "HPE_HEADER_OVERFLOW":
      return new AppError("HEADERS_TOO_LARGE", "the headers are too large; send fewer or shorter ones");
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return new AppError("PAYLOAD_TOO_LARGE", "the chunk extensions are too large; send none");
    default:
      return new AppError("MALFORMED_REQUEST", "this is not HTTP/1.1; send a request as RFC 9112 defines it");
  }
}

/**
 * Answers what Node's parser gives up with a problem document, as every other refusal. A connection whose answer
 * has begun is only cut off: its reader would take the refusal for a part of it. So is one that was opened ahead
 * of need and never used: a request that is sent just then would take the refusal for its answer.
 */
export function answerRefusedRequests(server: Server): void {
  const last = new WeakMap<Duplex, ServerResponse>();
  server.prependListener("request", ({ socket }: IncomingMessage, response: ServerResponse) =>
    last.set(socket, response),
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const response = last.get(socket);
    const hasBegun = response?.headersSent === true && !response.writableFinished;
    const isUnused = socket instanceof Socket && socket.bytesRead === 0;
    if (error.code === "ECONNRESET" || !socket.writable || hasBegun || isUnused) socket.destroy();
    else refuse(socket, toAppError(error.code, server.headersTimeout), "unread");
  });
}

/** Answers below the HTTP layer, and closes. `requestId` stands for one where there is none. */
export function refuse(socket: Duplex, error: AppError, requestId: string): void {
  void toMessage(error, requestId).then((text) => {
    socket.end(text);
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  });
}

async function toMessage(error: AppError, requestId: string): Promise<string> {
  const response = problemResponse(error, requestId);
  const body = await response.text();
  response.headers.set("connection", "close");
  response.headers.set("content-length", String(Buffer.byteLength(body)));
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${response.status} ${STATUS_CODES[response.status]}`, ...headers, "", body].join("\r\n");
}
