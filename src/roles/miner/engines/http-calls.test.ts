import { getEventListeners, once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { type HttpCall, HttpCalls, readBody } from "./http-calls.ts";

const forever = new AbortController().signal;
const POST: HttpCall = { method: "POST", path: "/v1/x?y=1", headers: { a: "b" }, body: "{}" };

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean();
});

/** A server, the connections that it got, and calls to it. */
async function serve(listener: RequestListener, server: Server = createServer()) {
  const sockets: Socket[] = [];
  server.on("request", listener).on("connection", (socket) => sockets.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const scheme = "setSecureContext" in server ? "https" : "http";
  const url = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const calls = new HttpCalls(url);
  cleanup.push(() => {
    calls.close();
    server.closeAllConnections();
    server.close();
  });
  return { server, sockets, calls, url };
}

const text = async (answer: IncomingMessage): Promise<string> => String(await readBody(answer, 1000));

/** Resolves when a connection is closed, in whatever way. */
const closing = (socket: Socket): Promise<unknown> =>
  socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once("close", resolve));

describe("a call", () => {
  it("carries method, path, headers and body, and reuses the connection of the one before", async () => {
    const { calls, sockets } = await serve(async (request, response) => {
      const body = String(await readBody(request, 1000));
      const { method, url, headers } = request;
      response.end(JSON.stringify({ method, url, a: headers["a"], length: headers["content-length"], body }));
    });
    const seen = { method: "POST", url: "/v1/x?y=1", a: "b", length: "2", body: "{}" };
    for (let n = 0; n < 3; n++) expect(JSON.parse(await calls.call(POST, forever, text))).toEqual(seen);
    expect(sockets).toHaveLength(1);
  });

  it("ends with the signal's reason, and its connection with it: waiting, reading, or before it began", async () => {
    const asked: (() => void)[] = [];
    const { server, calls } = await serve((request, response) => {
      if (request.url === "/read") response.write("begun");
      asked.shift()?.();
    });
    for (const path of ["/wait", "/read"]) {
      const abort = new AbortController();
      const reason = new Error("enough");
      const arrived = new Promise<void>((resolve) => asked.push(resolve));
      const closed = once(server, "connection").then(([socket]) => closing(socket));
      const outcome = calls.call({ ...POST, path }, abort.signal, text);
      outcome.catch(() => {});
      await arrived;
      abort.abort(reason);
      await expect(outcome).rejects.toBe(reason);
      await closed;
    }
    await expect(calls.call(POST, AbortSignal.abort("no"), text)).rejects.toBe("no");
  });

  it("leaves nothing behind: no listener on a shared signal, no connection beyond those that were needed", async () => {
    const { calls, sockets } = await serve((_, response) => void response.end("ok"));
    const { signal } = new AbortController();
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 50 }, () => calls.call(POST, signal, text)));
    }
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    expect(sockets.length).toBeLessThanOrEqual(50);
    calls.close();
    await Promise.all(sockets.map(closing));
  });

  it("that is read as far as it matters gives its connection back when it ends, and up when it does not", async () => {
    let endless = false;
    const { calls, sockets } = await serve((_, response) => {
      response.write("begun");
      if (!endless) setImmediate(() => response.end());
    });
    const ended: Promise<unknown>[] = [];
    const begin = async (answer: IncomingMessage): Promise<void> => {
      ended.push(new Promise((resolve) => answer.once("close", resolve)));
      await once(answer, "data");
    };
    for (let n = 0; n < 3; n++) {
      await calls.call(POST, forever, begin);
      await ended[n];
      await turn();
    }
    expect(sockets).toHaveLength(1);
    endless = true;
    await calls.call(POST, forever, begin);
    await Promise.all(sockets.map(closing));
  });
});

describe("a connection that the server closed", () => {
  /** A server that answers the first call, and to those after it does `then` as long as that returns true. */
  async function closingServer(then: (socket: Socket, call: number) => boolean) {
    let count = 0;
    const served = await serve((request, response) => {
      count += 1;
      if (count === 1 || !then(request.socket, count)) response.end(`answer ${count}`);
    });
    expect(await served.calls.call(POST, forever, text)).toBe("answer 1");
    return { ...served, count: () => count };
  }

  it("just when it was used again costs nothing: the call is made once more on a new one", async () => {
    const { calls, sockets } = await closingServer((socket, call) => {
      if (call === 2) socket.resetAndDestroy();
      return call === 2;
    });
    expect(await calls.call(POST, forever, text)).toBe("answer 3");
    expect(sockets).toHaveLength(2);
  });

  it("also on that new one is an error", async () => {
    const { calls, count } = await closingServer((socket) => {
      socket.destroy();
      return true;
    });
    await expect(calls.call(POST, forever, text)).rejects.toMatchObject({ code: "ENGINE_UNAVAILABLE" });
    expect(count()).toBe(3);
  });

  it("behind the first byte of an answer is an error", async () => {
    const { calls, count } = await closingServer((socket) => {
      socket.end("HTTP/1.1 2");
      return true;
    });
    await expect(calls.call(POST, forever, text)).rejects.toMatchObject({ code: "ENGINE_UNAVAILABLE" });
    expect(count()).toBe(2);
  });

  it("and that was new is an error", async () => {
    let count = 0;
    const { calls } = await serve((request) => {
      count += 1;
      request.socket.destroy();
    });
    await expect(calls.call(POST, forever, text)).rejects.toMatchObject({ code: "ENGINE_UNAVAILABLE" });
    expect(count).toBe(1);
  });

  it("in the middle of an answer breaks it off", async () => {
    const { calls } = await serve((_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half", () => response.destroy());
    });
    await expect(calls.call(POST, forever, text)).rejects.toThrow("aborted");
  });
});

describe("a server", () => {
  it("whose certificate nobody vouches for gets no call", async () => {
    let count = 0;
    const { calls } = await serve((_, response) => {
      count += 1;
      response.end();
    }, createSecureServer(SELF_SIGNED));
    await expect(calls.call(POST, forever, text)).rejects.toMatchObject({
      code: "ENGINE_UNAVAILABLE",
      message: expect.stringContaining("certificate"),
    });
    expect(count).toBe(0);
  });

  it("that sends more than allowed is not read on", async () => {
    const { calls, sockets } = await serve((_, response) => void response.write("x".repeat(2000)));
    await expect(calls.call(POST, forever, text)).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    await Promise.all(sockets.map(closing));
  });

  it("is not sent a header that cannot be sent, and the error does not tell it", async () => {
    const { calls } = await serve((_, response) => void response.end());
    const error: unknown = await calls
      .call({ ...POST, headers: { authorization: "Bearer sec\nret" } }, forever, text)
      .catch((error: unknown) => error);
    expect(error).toMatchObject({ code: "ENGINE_UNAVAILABLE" });
    expect(String(error)).not.toContain("sec");
  });
});

/** Made for this test; it opens nothing. */
const SELF_SIGNED = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgk3ToDxojCWu7BjS8
hq2fw/bfPm2sWJC7M52pZJWt2g2hRANCAAT//FL183Fd5byBoGdYOWrqyVo8pNnt
/ahMkrjXBQL/7o2IkhblpgjhLWh+Ys56uNfz00e6AOy7elPXVCRt1w/d
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUTCkPYeE2YD+IvyTAYXpf71KBkL0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTE3MzUwM1oYDzIxMjYxMDI4
MTczNTAzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT//FL183Fd5byBoGdYOWrqyVo8pNnt/ahMkrjXBQL/7o2Ikhblpgjh
LWh+Ys56uNfz00e6AOy7elPXVCRt1w/do28wbTAdBgNVHQ4EFgQUb/PglGPdgl58
OXgeFdz1vOG0G7cwHwYDVR0jBBgwFoAUb/PglGPdgl58OXgeFdz1vOG0G7cwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgTMbPa7Yr+N+/KeSM9ksBwJ+dXeUnLTbW1B12iamByqMCIQCd
fe4dELOP0ULeNT3/SSsEEez9kTQpqeqr59EPPzF9Iw==
-----END CERTIFICATE-----`,
};
