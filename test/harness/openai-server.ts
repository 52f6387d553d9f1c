import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Json = Readonly<Record<string, unknown>>;

/**
 * Stands for a server that speaks OpenAI's API where the test needs what none here does: tools, images, vLLM's and
 * llama-server's own members, and breaking in the middle. It answers with what the test sets and runs no model; what
 * the built-in model can do is tested on a real server, another aitbc (test/flows/openai-engine.test.ts).
 */
export class OpenAiServer {
  models: readonly Json[] = [{ id: "m", owned_by: "vllm", max_model_len: 2048 }];
  /** Events of the next answers; a text is sent as it is. */
  events: readonly (Json | string)[] = [];
  /** Whether `[DONE]` follows. */
  done = true;
  /** Body of answers that are not streamed. */
  body: Json = {};
  /** Set, everything is refused with it. */
  refusal: { readonly status: number; readonly body: Json | string } | undefined;
  /** The key that it wants. */
  key: string | undefined;
  /** Answers go on until the caller hangs up. */
  endless = false;
  readonly requests: { readonly path: string; readonly body: Json }[] = [];
  #closed = Promise.withResolvers<void>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<OpenAiServer> {
    const server = new OpenAiServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when the caller of the latest answer has hung up. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Body of the latest request to a path. */
  last(path: string): Json {
    return this.requests.findLast((request) => request.path === path)?.body ?? {};
  }

  /** An answer of these texts. */
  says(...texts: readonly string[]): void {
    const usage = { prompt_tokens: 7, completion_tokens: texts.length };
    this.events = [
      ...texts.map((content) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })),
      { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
      { choices: [], usage },
    ];
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const bytes of request) text += String(bytes);
    const body = (text === "" ? {} : JSON.parse(text)) as Json;
    const path = request.url ?? "";
    this.requests.push({ path, body });
    const closed = Promise.withResolvers<void>();
    this.#closed = closed;
    response.on("close", () => closed.resolve());
    if (this.key !== undefined && request.headers.authorization !== `Bearer ${this.key}`) {
      return sendJson(response, 401, { error: { message: "Invalid API key", code: "invalid_api_key" } });
    }
    if (path === "/v1/models") return sendJson(response, 200, { object: "list", data: this.models });
    if (this.refusal) return sendJson(response, this.refusal.status, this.refusal.body);
    if (body["stream"] !== true) return sendJson(response, 200, this.body);
    return this.#stream(response);
  }

  async #stream(response: ServerResponse): Promise<void> {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    do {
      for (const event of this.events) {
        const data = typeof event === "string" ? event : JSON.stringify(event);
        response.write(`data: ${data}\n\n`);
        await new Promise<void>((resolve) => setImmediate(resolve));
        if (response.destroyed) return;
      }
    } while (this.endless);
    response.end(this.done ? "data: [DONE]\n\n" : "");
  }
}

function sendJson(response: ServerResponse, status: number, value: Json | string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(typeof value === "string" ? value : JSON.stringify(value));
}
