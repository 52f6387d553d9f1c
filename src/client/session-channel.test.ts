import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, Socket } from "node:net";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { MAX_FRAME_BYTES } from "../wire/limits.ts";
import { openSessionChannel, sessionUrl } from "./session-channel.ts";

let closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers) close();
  closers = [];
});

/** A coordinator that hands each session to `onSession`; keys other than "good" get a 401. */
async function serve(onSession: (socket: WebSocket) => void, autoPong = true): Promise<string> {
  const server: Server = createServer();
  const sockets = new WebSocketServer({ noServer: true, autoPong });
  server.on("upgrade", (request, socket, head) => {
    if (request.headers["x-api-key"] === "good") sockets.handleUpgrade(request, socket, head, onSession);
    else socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    for (const client of sockets.clients) client.terminate();
    server.close();
  });
  // A listening TCP server has an address of this shape.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const closeOf = (channel: { onClose(listener: (reason: string) => void): void }): Promise<string> =>
  new Promise((resolve) => channel.onClose(resolve));

describe("session channel", () => {
  it("maps the URL", () => {
    expect(sessionUrl("http://h:1/")).toBe("ws://h:1/v1/miners/session");
    expect(sessionUrl("https://h/base")).toBe("wss://h/base/v1/miners/session");
    expect(sessionUrl("wss://h")).toBe("wss://h/v1/miners/session");
  });

  it("carries frames both ways, the first one too", async () => {
    const url = await serve((socket) => {
      socket.send("challenge");
      socket.on("message", (data) => socket.send(`echo ${data}`));
    });
    const channel = await openSessionChannel({ url, apiKey: "good" });
    const frames: string[] = [];
    await new Promise<void>((resolve) => {
      channel.onFrame((frame) => {
        if (frames.push(frame) === 2) resolve();
      });
      channel.send("hello");
    });
    expect(frames).toEqual(["challenge", "echo hello"]);
    channel.close(1000, "done");
    expect(await closeOf(channel)).toBe("done");
  });

  it("sends what comes in one turn together, and tells of none of it as waiting", async () => {
    const arrived = Promise.withResolvers<void>();
    const url = await serve((socket) => {
      socket.on("message", (data) => data.toString() === "last" && arrived.resolve());
    });
    const channel = await openSessionChannel({ url, apiKey: "good" });
    const writes = vi.spyOn(Socket.prototype, "_writev");
    onTestFinished(() => writes.mockRestore());
    for (const frame of ["first", "second", "last"]) channel.send(frame);
    expect(channel.bufferedBytes).toBe(0);
    await arrived.promise;
    expect(writes).toHaveBeenCalledTimes(1);
  });

  it("says that the key was refused", async () => {
    const url = await serve(() => {});
    await expect(openSessionChannel({ url, apiKey: "bad" })).rejects.toMatchObject({
      code: "UNAUTHORIZED_KEY",
    });
  });

  it("says that nothing listens", async () => {
    const url = await serve(() => {});
    closers.pop()?.();
    await expect(openSessionChannel({ url, apiKey: "good" })).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  it("gives up on a server that accepts and says nothing", async () => {
    const server = createTcpServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const work = openSessionChannel({ url, apiKey: "good", connectTimeoutMs: 50 });
    await expect(work).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  it("gives up when asked to", async () => {
    const url = await serve(() => {});
    const work = openSessionChannel({ url, apiKey: "good", signal: AbortSignal.abort() });
    await expect(work).rejects.toMatchObject({ code: "INTERRUPTED" });
  });

  it("tells the reason of the other side's close, also to a late listener", async () => {
    const url = await serve((socket) => socket.close(1013, "too slow"));
    const channel = await openSessionChannel({ url, apiKey: "good" });
    expect(await closeOf(channel)).toBe("too slow");
    expect(await closeOf(channel)).toBe("too slow");
  });

  it("refuses a frame past the limit and a binary one", async () => {
    const large = await serve((socket) => socket.send("x".repeat(MAX_FRAME_BYTES + 1)));
    await closeOf(await openSessionChannel({ url: large, apiKey: "good" }));
    const binary = await serve((socket) => socket.send(Buffer.from([1])));
    const channel = await openSessionChannel({ url: binary, apiKey: "good" });
    channel.onFrame(() => expect.unreachable());
    await closeOf(channel);
  });

  it("cuts off a side that shows no sign of life", async () => {
    const url = await serve(() => {}, false);
    await closeOf(await openSessionChannel({ url, apiKey: "good", pingMs: 20 }));
  });
});
