/**
 * A local server that speaks OpenAI's API with set delays, as a process of its own: what stands behind the gateways
 * that are compared. Each piece of its answers carries the time at which it was written, so that whoever reads it
 * knows how long it was on its way.
 *
 * node upstream.ts FIRST_MS TOKEN_MS TOKENS; prints its port.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const [firstMs = 50, tokenMs = 20, tokens = 50] = process.argv.slice(2).map(Number);
const MODEL = "bench";
const CREATED = 1_700_000_000;

/** The clock that all processes of this machine share (CLOCK_MONOTONIC), in µs. */
const now = (): string => String(process.hrtime.bigint() / 1000n);

const chunk = (delta: object, finish: string | null): string =>
  `data: ${JSON.stringify({
    id: "chatcmpl-bench",
    object: "chat.completion.chunk",
    created: CREATED,
    model: MODEL,
    choices: [{ index: 0, delta, finish_reason: finish }],
  })}\n\n`;

function answer(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  let written = 0;
  const write = (): void => {
    const content = `${now()} `;
    response.write(chunk(written === 0 ? { role: "assistant", content } : { content }, null));
    if (++written < tokens) return;
    clearInterval(timer);
    response.write(chunk({}, "stop"));
    response.end("data: [DONE]\n\n");
  };
  let timer = setTimeout(() => {
    write();
    timer = setInterval(write, tokenMs);
  }, firstMs);
  response.once("close", () => clearInterval(timer));
}

const server = createServer((request, response) => {
  request.resume();
  request.once("end", () => {
    if (request.method === "POST") return answer(response);
    const data = [{ id: MODEL, object: "model", created: CREATED, owned_by: "bench", max_model_len: 8192 }];
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ object: "list", data }));
  });
});
server.keepAliveTimeout = 120_000;
server.listen(0, "127.0.0.1", () => {
  // A TCP listener's address is an object.
  console.log((server.address() as AddressInfo).port);
});
