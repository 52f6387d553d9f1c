import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { RequestDeadlines } from "./request-deadlines.ts";

const LIMITS = { bodyMs: 150, idleMs: 150, leastBytesPerSecond: 1000, checkMs: 10 };
/** Bytes and time of one step of a slow sender: ten times the least speed. */
const STEP = "x".repeat(100);
const STEP_MS = 10;

/** A server that answers with the number of bytes that came; `/upload` is streamed. */
async function listen(): Promise<Server> {
  const server = createServer((request, response) => {
    let bytes = 0;
    request.on("data", (part: Buffer) => {
      bytes += part.length;
    });
    request.on("error", () => {});
    request.on("end", () => response.end(`got ${bytes}`));
  });
  new RequestDeadlines(server, ({ url }) => url === "/upload", LIMITS);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

interface Sender {
  readonly socket: Socket;
  /** Everything that came back, once the connection is closed or the answer is there. */
  readonly answer: Promise<string>;
}

function send(server: Server, path: string, sizeBytes: number): Sender {
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  socket.write(`PUT ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${sizeBytes}\r\n\r\n`);
  let text = "";
  const answer = new Promise<string>((resolve) => {
    socket.on("data", (part: Buffer) => {
      text += part.toString();
      if (text.includes("got ")) resolve(text);
    });
    socket.on("close", () => resolve(text));
  });
  return { socket, answer };
}

/** Sends so many steps, one after the other. */
function trickle({ socket }: Sender, steps: number): void {
  let left = steps;
  const timer = setInterval(() => {
    if (left-- > 0 && socket.writable) socket.write(STEP);
    else clearInterval(timer);
  }, STEP_MS);
  onTestFinished(() => clearInterval(timer));
}

describe("the body of a request", () => {
  it("is cut off at its limit, even while it moves on", async () => {
    const sender = send(await listen(), "/jobs", 1_000_000);
    trickle(sender, 10_000);
    const answer = await sender.answer;
    expect(answer).toContain("HTTP/1.1 408 Request Timeout");
    expect(answer).toContain('"code":"REQUEST_TIMEOUT"');
    expect(answer).toContain("longer than 0.15 s");
  });

  it("in time is answered, and the connection serves on", async () => {
    const sender = send(await listen(), "/jobs", STEP.length);
    sender.socket.write(STEP);
    expect(await sender.answer).toContain("got 100");
    expect(sender.socket.destroyed).toBe(false);
  });
});

describe("a streamed body", () => {
  it("may take far longer than another, as long as it moves on", async () => {
    const steps = Math.ceil((4 * LIMITS.bodyMs) / STEP_MS);
    const sender = send(await listen(), "/upload", steps * STEP.length);
    const began = performance.now();
    trickle(sender, steps);
    expect(await sender.answer).toContain(`got ${steps * STEP.length}`);
    expect(performance.now() - began).toBeGreaterThan(2 * LIMITS.bodyMs);
  });

  it("that stops is cut off", async () => {
    const sender = send(await listen(), "/upload", 1_000_000);
    sender.socket.write("x".repeat(500_000));
    const answer = await sender.answer;
    expect(answer).toContain("408 Request Timeout");
    expect(answer).toContain("nothing came for 0.15 s");
  });

  it("that moves on too slowly is cut off", async () => {
    const sender = send(await listen(), "/upload", 1_000_000);
    const timer = setInterval(() => sender.socket.writable && sender.socket.write("x"), STEP_MS);
    onTestFinished(() => clearInterval(timer));
    const answer = await sender.answer;
    expect(answer).toContain("408 Request Timeout");
    expect(answer).toContain("at least 1000 bytes a second");
  });
});
