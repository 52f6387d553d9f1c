import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ServedModel {
  readonly name: string;
  readonly digest: string;
  readonly context: number;
  readonly capabilities?: readonly string[];
  readonly remote_host?: string;
  /** `show` fails for it. */
  readonly broken?: boolean;
  /** What another aitbc tells of it. */
  readonly aitbc?: { readonly features: readonly string[] };
  /** It is in memory. */
  readonly loaded?: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Stands for an Ollama server where tests run without one: it speaks Ollama's documented HTTP API (`docs/api.md` of
 * ollama/ollama: version, tags, show, ps, chat, generate, embed, pull; streams are one JSON object a line) and answers
 * with what the test sets. It runs no model: what the built-in one can do is tested on a real server, another aitbc
 * (test/flows/ollama-api.test.ts).
 */
export class OllamaServer {
  version = "0.12.11";
  models: ServedModel[] = [];
  /** Pieces of the next answers, and how they end. */
  answer: readonly string[] = ["Because."];
  doneReason = "stop";
  /** Set, the next chats are made of these lines instead. */
  lines: readonly Json[] | undefined;
  /** Vectors of the next answers to /api/embed. */
  vectors: readonly (readonly number[])[] = [];
  loadNs = 1;
  /** Set, every chat is refused with it. */
  refusal: { readonly status: number; readonly reason: string } | undefined;
  /** Set, an answer breaks after so many pieces. */
  breaks:
    | { readonly after: number; readonly how: "socket" | "end" | "error" | "garbage" | "cut" }
    | undefined;
  /** Bytes in one write; 0 writes whole lines. */
  cutEvery = 0;
  /** Answers go on until the caller hangs up. */
  endless = false;
  /** Set, answers wait for it behind their first piece, as long as the caller is there. */
  hold: Promise<void> | undefined;
  /** Nothing is answered at all. */
  silent = false;
  readonly requests: { readonly path: string; readonly body: Json }[] = [];
  #closed = Promise.withResolvers<void>();
  #called = Promise.withResolvers<void>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<OllamaServer> {
    const server = new OllamaServer();
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

  /** Resolves at the next chat or completion. */
  nextCall(): Promise<void> {
    this.#called = Promise.withResolvers();
    return this.#called.promise;
  }

  /** Body of the latest request to a path. */
  last(path: string): Json {
    return this.requests.findLast((request) => request.path === path)?.body ?? {};
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
    this.#called.resolve();
    if (this.silent) return;
    switch (path) {
      case "/api/version":
        return sendJson(response, 200, { version: this.version });
      case "/api/tags":
        return sendJson(response, 200, { models: this.models.map(toTag) });
      case "/api/ps":
        return sendJson(response, 200, { models: this.models.filter(({ loaded }) => loaded).map(toTag) });
      case "/api/embed":
        return this.#embed(response);
      case "/api/show":
        return this.#show(response, body);
      case "/api/pull":
        return this.#pull(response, body);
      case "/api/chat":
        return this.#answer(response, (content) => ({ message: { role: "assistant", content } }));
      case "/api/generate":
        return this.#answer(response, (text) => ({ response: text }));
      default:
        return sendJson(response, 404, { error: "not found" });
    }
  }

  #show(response: ServerResponse, body: Json): void {
    const model = this.models.find(({ name }) => name === body["model"]);
    if (!model || model.broken) {
      sendJson(response, 404, { error: `model '${body["model"]}' not found` });
      return;
    }
    sendJson(response, 200, {
      capabilities: model.capabilities ?? ["completion", "tools"],
      ...(model.aitbc && { aitbc: model.aitbc }),
      model_info: { "general.architecture": "llama", "llama.context_length": model.context },
    });
  }

  #embed(response: ServerResponse): void {
    const counters = { total_duration: 1, load_duration: this.loadNs, prompt_eval_count: 5 };
    sendJson(response, 200, { model: "any", embeddings: this.vectors, ...counters });
  }

  #pull(response: ServerResponse, body: Json): void {
    const lines: Json[] =
      body["name"] === "unknown"
        ? [{ status: "pulling manifest" }, { error: "pull model manifest: file does not exist" }]
        : [
            { status: "pulling manifest" },
            { status: "pulling a", digest: "sha256:a", total: 100, completed: 100 },
            { status: "pulling b", digest: "sha256:b", total: 200 },
            { status: "pulling b", digest: "sha256:b", total: 200, completed: 50 },
            { status: "pulling b", digest: "sha256:b", total: 200, completed: 200 },
            { status: "verifying sha256 digest" },
            { status: "success" },
          ];
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    for (const line of lines) response.write(`${JSON.stringify(line)}\n`);
    response.end();
    if (body["name"] !== "unknown") {
      this.models.push({ name: String(body["name"]), digest: "b".repeat(64), context: 4096 });
    }
  }

  async #answer(response: ServerResponse, piece: (text: string) => Json): Promise<void> {
    if (this.refusal) return sendJson(response, this.refusal.status, { error: this.refusal.reason });
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    const common = { model: "llama3.2:3b", created_at: "2026-01-01T00:00:00.000000Z" };
    for (const line of this.lines ?? []) {
      if (!(await this.#write(response, `${JSON.stringify({ ...common, ...line })}\n`))) return;
    }
    if (this.lines) {
      response.end();
      return;
    }
    // What the test sets from here on is for the next answer.
    const { answer, breaks, hold } = this;
    const { promise: closed } = this.#closed;
    let sent = 0;
    do {
      for (const text of answer) {
        if (breaks?.after === sent) return this.#break(response, breaks.how);
        const line = `${JSON.stringify({ ...common, ...piece(text), done: false })}\n`;
        const flowing = await this.#write(response, line);
        if (!flowing) return;
        sent += 1;
        if (sent === 1 && hold) await Promise.race([hold, closed]);
      }
    } while (this.endless);
    const counters = {
      total_duration: 1,
      load_duration: this.loadNs,
      prompt_eval_count: 26,
      eval_count: sent,
      eval_duration: 1,
    };
    const last = { ...common, ...piece(""), done: true, done_reason: this.doneReason, ...counters };
    await this.#write(response, `${JSON.stringify(last)}\n`);
    response.end();
  }

  #break(response: ServerResponse, how: NonNullable<OllamaServer["breaks"]>["how"]): void {
    switch (how) {
      case "socket":
        response.destroy();
        break;
      case "end":
        response.end();
        break;
      case "error":
        response.end('{"error":"an unknown error was encountered while running the model"}\n');
        break;
      case "garbage":
        response.write("<html>Bad gateway</html>\n");
        response.end('{"message":{"role":"assistant","content":"three"},"done":true,"done_reason":"stop"}\n');
        break;
      case "cut":
        response.end('{"message":{"role":"assistant","content":"th');
        break;
    }
  }

  /** Writes, and waits for the reader; false when it has hung up. */
  async #write(response: ServerResponse, line: string): Promise<boolean> {
    const bytes = Buffer.from(line);
    const size = this.cutEvery || bytes.length;
    for (let at = 0; at < bytes.length; at += size) {
      const flowing = response.write(bytes.subarray(at, at + size));
      if (flowing) await new Promise<void>((resolve) => setImmediate(resolve));
      else {
        const drained = new Promise<void>((resolve) => response.once("drain", resolve));
        await Promise.race([drained, this.#closed.promise]);
      }
      if (response.destroyed) return false;
    }
    return true;
  }
}

function toTag({ name, digest, remote_host }: ServedModel): Json {
  return { name, model: name, size: 1, digest, ...(remote_host === undefined ? {} : { remote_host }) };
}

function sendJson(response: ServerResponse, status: number, value: Json): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(JSON.stringify(value));
}
