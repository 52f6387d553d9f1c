import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { answerRefusedRequests } from "./refused-requests.ts";

const HEADERS_MS = 60;
const CHECK_MS = 10;

/**
 * What comes back for these bytes until the connection is closed; `then` follows the first part of the answer.
 * `/stream` begins an answer and never ends it.
 */
async function answerTo(bytes: string, then?: string): Promise<string> {
  const server = createServer({ connectionsCheckingInterval: CHECK_MS }, ({ url }, response) => {
    if (url === "/stream") response.write("first");
    else response.end("fine");
  });
  server.headersTimeout = HEADERS_MS;
  answerRefusedRequests(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.write(bytes);
  if (then !== undefined) socket.once("data", () => socket.write(then));
  return text(socket);
}

/** The problem document of an answer. */
const problemOf = (answer: string): unknown => JSON.parse(answer.slice(answer.lastIndexOf("\r\n\r\n")));

describe("a request that Node's parser gives up", () => {
  it("for the time its headers take is 408 with a problem document", async () => {
    const answer = await answerTo("GET /v1/jobs HTTP/1.1\r\nhost:");
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain("content-type: application/problem+json");
    expect(problemOf(answer)).toMatchObject({
      status: 408,
      code: "REQUEST_TIMEOUT",
      detail: "the headers took longer than 0.06 s; send the request again, nothing was done",
    });
  });

  it("as a connection that was never used is only closed", async () => {
    expect(await answerTo("")).toBe("");
  });

  it("for the size of its headers is 431", async () => {
    const answer = await answerTo(`GET / HTTP/1.1\r\nhost: x\r\nlong: ${"x".repeat(100_000)}\r\n\r\n`);
    expect(problemOf(answer)).toMatchObject({ status: 431, code: "HEADERS_TOO_LARGE" });
  });

  it("as no HTTP at all is 400", async () => {
    expect(problemOf(await answerTo("hello\r\n\r\n"))).toMatchObject({
      status: 400,
      code: "MALFORMED_REQUEST",
    });
  });

  it("behind an answer that has begun only ends the connection", async () => {
    const answer = await answerTo("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n", "nonsense\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).not.toContain("problem+json");
  });
});
