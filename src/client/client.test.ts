import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { AppError } from "../kernel/errors.ts";
import { createClient } from "./client.ts";

const JOB_ID = "0199f3a2c4d17b0e8a52c1d07f3b6e94";
const VIEW = {
  job_id: JOB_ID,
  state: "QUEUED",
  kind: "inference",
  model: null,
  priority: 1,
  assigned_miner_id: null,
  attempts: 0,
  max_attempts: 3,
  requested_at: "2026-11-21T06:00:00.000Z",
  expires_at: "2026-11-21T06:15:00.000Z",
  started_at: null,
  completed_at: null,
  answer_format: "text",
  delivered_bytes: 0,
  units: 0,
  price_uait: "0",
  error: null,
};

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  if (server) await new Promise((resolve) => server?.close(resolve));
  server = undefined;
});

/** A daemon of a few lines on a loopback port. */
async function serve(handler: Handler): Promise<string> {
  server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    handler(request, response, body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A listening TCP server has an address of this shape.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json = (response: ServerResponse, status: number, value: unknown, headers = {}): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
};

const clientOf = (url: string, timeoutMs = 5_000) => createClient({ url, apiKey: "ait_client_k", timeoutMs });

async function errorOf(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof AppError) return error;
  throw new Error(`expected an AppError, got ${String(error)}`);
}

const sse = (event: string, data: unknown, id?: number): string =>
  `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
const chunk = (seq: number, text: string): string => sse("chunk", { seq, segment: 1, text }, seq);
const end = (seq: number): string =>
  sse(
    "end",
    {
      state: "COMPLETED",
      error: null,
      finish_reason: "stop",
      delivered_bytes: 5,
      receipt_id: "r",
      units: 2,
      usage: { prompt_tokens: 1, completion_tokens: 1 },
    },
    seq,
  );
const STATE = sse("state", { state: "RUNNING", attempt: 1, miner_id: "m" });

describe("calls", () => {
  it("submits with key and idempotency key", async () => {
    const seen: IncomingMessage["headers"][] = [];
    const url = await serve((request, response) => {
      seen.push(request.headers);
      json(response, 201, VIEW);
    });
    const view = await clientOf(`${url}/`).submitJob({ payload: { type: "inference", prompt: "Hi" } });
    expect(view.job_id).toBe(JOB_ID);
    expect(seen[0]).toMatchObject({ "x-api-key": "ait_client_k", "content-type": "application/json" });
    expect(seen[0]?.["idempotency-key"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("repeats a submission under the same idempotency key when the connection breaks", async () => {
    const keys: unknown[] = [];
    const url = await serve((request, response) => {
      keys.push(request.headers["idempotency-key"]);
      if (keys.length === 1) request.socket.destroy();
      else json(response, 201, VIEW);
    });
    await clientOf(url).submitJob({ payload: { type: "inference", prompt: "Hi" } });
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
  });

  it("never repeats a call that would do its work twice", async () => {
    let calls = 0;
    const url = await serve((request) => {
      calls++;
      request.socket.destroy();
    });
    expect((await errorOf(clientOf(url).createKey({ kind: "client", name: "n" }))).code).toBe("UNREACHABLE");
    expect(calls).toBe(1);
  });

  it("keeps code, detail and request id of a problem document", async () => {
    const url = await serve((_request, response) =>
      json(response, 401, {
        type: "/errors/UNAUTHORIZED_KEY",
        title: "t",
        status: 401,
        detail: "invalid api key",
        instance: "req1",
        code: "UNAUTHORIZED_KEY",
      }),
    );
    const error = await errorOf(clientOf(url).getJob(JOB_ID));
    expect(error).toMatchObject({
      code: "UNAUTHORIZED_KEY",
      message: "invalid api key",
      meta: { request_id: "req1" },
    });
  });

  it.each([
    [404, "ROUTE_NOT_FOUND"],
    [500, "INTERNAL"],
    [418, "INTERNAL"],
  ])("tells a foreign %i by its status", async (status, code) => {
    const url = await serve((_request, response) => response.writeHead(status).end("<html>no</html>"));
    expect((await errorOf(clientOf(url).getJob(JOB_ID))).code).toBe(code);
  });

  it.each([
    ["wrong members", '{"job_id":1}'],
    ["no JSON", "<html>hello</html>"],
  ])("refuses an answer with %s", async (_name, text) => {
    const url = await serve((_request, response) => response.writeHead(200).end(text));
    const error = await errorOf(clientOf(url).getJob(JOB_ID));
    expect(error.code).toBe("PROTOCOL_VIOLATION");
    expect(error.meta["hint"]).toContain("is that the URL of an aitbc daemon");
  });

  it("says what to do when nothing listens", async () => {
    const url = await serve(() => {});
    await new Promise((resolve) => server?.close(resolve));
    const error = await errorOf(clientOf(url).health());
    expect(error.code).toBe("UNREACHABLE");
    expect(error.message).toBe(`no daemon answers at ${url}: nothing listens there`);
    expect(error.meta["hint"]).toBe("start it with: aitbc serve");
  });

  it("gives up after its time limit", async () => {
    const url = await serve(() => {});
    expect((await errorOf(clientOf(url, 50).health())).code).toBe("TIMEOUT");
  });

  it("follows no redirect with the key", async () => {
    let calls = 0;
    const url = await serve((_request, response) => {
      calls++;
      response.writeHead(302, { location: "/elsewhere" }).end();
    });
    await errorOf(clientOf(url).health());
    expect(calls).toBe(1);
  });

  it("lists receipts page by page", async () => {
    const url = await serve((request, response) => {
      const second = request.url?.includes("cursor=1");
      json(response, 200, { items: [{ receipt_id: second ? "b" : "a" }], next_cursor: second ? null : "1" });
    });
    const ids: unknown[] = [];
    for await (const receipt of clientOf(url).listReceipts(JOB_ID)) ids.push(receipt["receipt_id"]);
    expect(ids).toEqual(["a", "b"]);
  });
});

describe("job events", () => {
  it("resumes a stream that breaks, without a byte twice or missing", async () => {
    const resumed: unknown[] = [];
    const url = await serve((request, response) => {
      resumed.push(request.headers["last-event-id"]);
      response.writeHead(200, { "content-type": "text/event-stream" });
      if (resumed.length === 1) {
        // The third chunk is cut off in the middle, as a dying daemon does.
        response.write(STATE + chunk(1, "He") + chunk(2, "ll") + chunk(3, "o!").slice(0, 20), () =>
          request.socket.destroy(),
        );
        return;
      }
      response.end(STATE + chunk(2, "ll") + chunk(3, "o!") + end(4));
    });
    let text = "";
    const lost: string[] = [];
    const stream = clientOf(url).jobEvents(JOB_ID, { onReconnect: (error) => lost.push(error.code) });
    for await (const event of stream) if (event.event === "chunk") text += event.data.text;
    expect(text).toBe("Hello!");
    expect(resumed).toEqual([undefined, "2"]);
    expect(lost).toEqual(["UNREACHABLE"]);
  });

  it("treats a stream that ends without its end as lost", async () => {
    let calls = 0;
    const url = await serve((_request, response) => {
      calls++;
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(calls === 1 ? chunk(1, "a") : end(2));
    });
    expect(await clientOf(url).waitForJob(JOB_ID)).toMatchObject({ state: "COMPLETED", receipt_id: "r" });
    expect(calls).toBe(2);
  });

  it("ends at once where nothing is left", async () => {
    const url = await serve((_request, response) => response.writeHead(204).end());
    const events = [];
    for await (const event of clientOf(url).jobEvents(JOB_ID, { lastEventId: 9 })) events.push(event);
    expect(events).toEqual([]);
  });

  it("gives up when the daemon stays away", async () => {
    const url = await serve((request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(chunk(1, "a"), () => {
        server?.close();
        request.socket.destroy();
      });
    });
    let at = 0;
    // Each look at the clock is half a minute later than the one before.
    const clock = { now: () => 0, monotonic: () => (at += 30_000) };
    const work = clientOf(url).waitForJob(JOB_ID, { clock, reconnectMs: 40_000 });
    expect((await errorOf(work)).code).toBe("UNREACHABLE");
  });

  it.each([
    ["no such job", 404, "JOB_NOT_FOUND"],
    ["wrong key", 401, "UNAUTHORIZED_KEY"],
  ])("does not try again: %s", async (_name, status, code) => {
    let calls = 0;
    const url = await serve((_request, response) => {
      calls++;
      json(response, status, { status, code, title: "t", instance: "i" });
    });
    expect((await errorOf(clientOf(url).waitForJob(JOB_ID))).code).toBe(code);
    expect(calls).toBe(1);
  });

  it("stops when its signal aborts, and hangs up", async () => {
    const closed = Promise.withResolvers<void>();
    const url = await serve((request, response) => {
      request.socket.on("close", () => closed.resolve());
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(STATE);
    });
    const abort = new AbortController();
    const work = (async () => {
      for await (const _event of clientOf(url).jobEvents(JOB_ID, { signal: abort.signal })) abort.abort();
    })();
    expect((await errorOf(work)).code).toBe("INTERRUPTED");
    await closed.promise;
  });

  it("hangs up when the reader leaves", async () => {
    const closed = Promise.withResolvers<void>();
    const url = await serve((request, response) => {
      request.socket.on("close", () => closed.resolve());
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(STATE);
    });
    for await (const _event of clientOf(url).jobEvents(JOB_ID)) break;
    await closed.promise;
  });
});
