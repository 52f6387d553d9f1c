import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSystemClock } from "../kernel/clock.ts";
import { createRouter, ok } from "../kernel/http/router.ts";
import { createIds } from "../kernel/ids.ts";
import { createLog } from "../kernel/log.ts";
import { createMetrics } from "../kernel/metrics.ts";
import type { Access, Principal } from "../wire/access.ts";
import { putArtifact } from "../wire/artifacts.ts";
import { submitJob } from "../wire/jobs.ts";
import { MAX_BODY_BYTES } from "../wire/limits.ts";
import { HttpServer } from "./http.ts";

const DEADLINES = { bodyMs: 150, idleMs: 300, leastBytesPerSecond: 10, checkMs: 10 };
const STEP_MS = 10;
/** Steps that take three times as long as the body of another request may. */
const STEPS = Math.ceil((3 * DEADLINES.bodyMs) / STEP_MS);

/** The real listener, with one route that reads JSON and one that streams. */
async function listen(): Promise<string> {
  const caller = { kind: "client", owner_id: "o", key_id: "k" } as Principal;
  const router = createRouter<Access, Principal>(() => caller, MAX_BODY_BYTES);
  router.on(submitJob, () => ok({}));
  router.on(putArtifact, async ({ openStream }) => {
    let bytes = 0;
    for await (const part of openStream() ?? []) bytes += part.length;
    return ok({ bytes });
  });
  const http = new HttpServer({
    place: { host: "127.0.0.1", port: 0, option: "--port" },
    maxConnections: 10,
    routers: [router],
    policy: "",
    ids: createIds(createSystemClock()),
    log: createLog({ level: "silent", format: "json", terminal: false }),
    metrics: createMetrics(),
    deadlines: DEADLINES,
  });
  await http.start();
  onTestFinished(() => http.stop());
  return http.url;
}

/** Sends one byte each step, `STEPS` of them; what came back when the connection is closed. */
async function trickle(url: string, head: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  let text = "";
  socket.on("data", (part: Buffer) => {
    text += part.toString();
  });
  socket.write(
    `${head} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${STEPS}\r\n\r\n`,
  );
  let left = STEPS;
  const timer = setInterval(() => {
    if (left-- > 0 && socket.writable) socket.write(" ");
  }, STEP_MS);
  await once(socket, "close");
  clearInterval(timer);
  return text;
}

describe("a slow request", () => {
  it.each([submitJob.path, `/api${submitJob.path}`])("to %s is answered 408", async (path) => {
    const answer = await trickle(await listen(), `POST ${path}`);
    expect(answer).toContain("408 Request Timeout");
  });

  it.each([putArtifact.path, "/api/v1/artifacts", "/artifacts"])("to %s is an upload", async (path) => {
    const answer = await trickle(await listen(), `PUT ${path}`);
    expect(answer).toContain("200 OK");
    expect(answer).toContain(`{"bytes":${STEPS}}`);
  });
});
