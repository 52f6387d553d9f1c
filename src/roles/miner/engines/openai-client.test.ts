import { getEventListeners, once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { OpenAiClient } from "./openai-client.ts";

const forever = new AbortController().signal;

const cleanup: (() => unknown)[] = [];
afterEach(() => {
  for (const clean of cleanup.splice(0).reverse()) clean();
});

async function serve(listener: RequestListener) {
  const sockets: Socket[] = [];
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => listener(request, response));
  });
  server.on("connection", (socket) => sockets.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new OpenAiClient({ url, findKey: async () => "secret", keyName: "the key" });
  cleanup.push(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  return { client, url, sockets };
}

const startStream = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });

/** The events of a stream that these bytes are. */
async function read(...parts: readonly (string | Uint8Array)[]): Promise<unknown[]> {
  const { client } = await serve(async (_, response) => {
    startStream(response);
    for (const part of parts) {
      response.write(part);
      await turn();
    }
    response.end();
  });
  const events: unknown[] = [];
  await client.postStream("/x", {}, forever, (event) => void events.push(event));
  return events;
}

describe("a stream", () => {
  it.each<[string, readonly (string | Uint8Array)[], readonly unknown[]]>([
    ["line ends of either kind", ["data: 1\r\n\r\ndata: 2\n\n", "data: 3\r\r"], [1, 2, 3]],
    ["comments and names of events", [": beat\n\nevent: x\nid: 4\ndata: 1\n\n"], [1]],
    ["values over several lines", ['data: {\ndata: "a": 1\ndata: }\n\n'], [{ a: 1 }]],
    ["a byte order mark", ["\uFEFFdata: 1\n\n"], [1]],
    [
      "characters that are cut",
      [Buffer.from('data: "😀"\n\n').subarray(0, 9), Buffer.from('data: "😀"\n\n').subarray(9)],
      ["😀"],
    ],
    ["nothing behind its end", ["data: 1\n\ndata: [DONE]\n\ndata: 2\n\n", "data: <html>\n\n"], [1]],
    ["an end without a word", ["data: 1\n\n"], [1]],
    ["a last event that is cut off: it is dropped", ["data: 1\n\ndata: 2\n"], [1]],
  ])("has %s", async (_name, parts, events) => {
    expect(await read(...parts)).toEqual(events);
  });

  it("that ends with a word frees its connection for the next call", async () => {
    const { client, sockets } = await serve((_, response) => {
      startStream(response).write("data: 1\n\ndata: [DONE]\n\n");
      setImmediate(() => response.end());
    });
    for (let n = 0; n < 20; n++) await client.postStream("/x", {}, forever, () => undefined);
    expect(sockets.length).toBeLessThan(20);
  });

  it("waits for whoever takes it, and comes whole and in its order", async () => {
    const count = 2_000;
    const { client } = await serve((_, response) => {
      startStream(response);
      for (let n = 0; n < count; n++) response.write(`data: ${n}\n\n`);
      response.end("data: [DONE]\n\n");
    });
    const events: unknown[] = [];
    let taking = 0;
    await client.postStream("/x", {}, forever, (event) => {
      events.push(event);
      expect(++taking).toBe(1);
      // Now and then there is room at once.
      if (events.length % 3 === 0) return void taking--;
      return turn().then(() => void taking--);
    });
    expect(events).toEqual(Array.from({ length: count }, (_, n) => n));
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
  ])("ends, and its connection with it, when whoever takes it %s", async (_name, take) => {
    const { client, sockets } = await serve((_, response) => void startStream(response).write("data: 1\n\n"));
    await expect(client.postStream("/x", {}, forever, take)).rejects.toThrow("no");
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  });

  it("tells nothing more once it is canceled, though it is there", async () => {
    const { client } = await serve(
      (_, response) => void startStream(response).write("data: 1\n\ndata: 2\n\n"),
    );
    const abort = new AbortController();
    const events: unknown[] = [];
    const outcome = client.postStream("/x", {}, abort.signal, (event) => {
      events.push(event);
      abort.abort(new Error("enough"));
      return undefined;
    });
    await expect(outcome).rejects.toThrow("enough");
    expect(events).toEqual([1]);
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
  });

  it("that breaks off is an error, also while it waits", async () => {
    for (const wait of [undefined, new Promise<void>(() => {})]) {
      let taken = (): void => {};
      const { client } = await serve((_, response) => {
        taken = () => response.destroy();
        startStream(response).write("data: 1\n\n");
      });
      const outcome = client.postStream("/x", {}, forever, () => {
        taken();
        return wait;
      });
      await expect(outcome).rejects.toThrow("aborted");
    }
  });
});

describe("an answer", () => {
  it("that leads elsewhere is not followed: key and text go to nobody else", async () => {
    let followed = 0;
    const other = await serve((_, response) => {
      followed += 1;
      response.end("{}");
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const { client } = await serve(
        (_, response) => void response.writeHead(status, { location: other.url }).end(),
      );
      await expect(client.postJson("/x", { secret: 1 }, forever)).rejects.toMatchObject({
        code: "ENGINE_UNAVAILABLE",
        message: expect.stringContaining("redirect"),
        meta: { status },
      });
    }
    expect(followed).toBe(0);
  });

  it("is asked for as it is, and refused when it is compressed all the same", async () => {
    let asked: unknown;
    const { client } = await serve((request, response) => {
      asked = request.headers["accept-encoding"];
      response.writeHead(200, { "content-encoding": "gzip" }).end("\x1f\x8b");
    });
    await expect(client.getJson("/x", forever)).rejects.toMatchObject({
      code: "ENGINE_FAILED",
      message: expect.stringContaining("gzip"),
    });
    expect(asked).toBe("identity");
  });

  it("that is an error leaves the connection to the next call", async () => {
    const { client, sockets } = await serve(
      (_, response) => void response.writeHead(429).end('{"error":"busy"}'),
    );
    for (let n = 0; n < 3; n++) {
      await expect(client.postJson("/x", {}, forever)).rejects.toMatchObject({ code: "ENGINE_UNAVAILABLE" });
      await turn();
    }
    expect(sockets).toHaveLength(1);
  });

  it("is looked for below the server's path", async () => {
    const paths: unknown[] = [];
    const { client, url } = await serve((request, response) => {
      paths.push(request.url);
      response.end("{}");
    });
    await client.getJson("/models", forever);
    const below = new OpenAiClient({ url: `${url}/api/v1/`, findKey: async () => undefined, keyName: "" });
    cleanup.push(() => below.close());
    await below.getJson("/models", forever);
    expect(paths).toEqual(["/v1/models", "/api/v1/models"]);
  });
});
