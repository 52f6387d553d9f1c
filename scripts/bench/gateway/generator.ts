/**
 * Streams chat completions from one address and measures them, as a process of its own.
 *
 * node generator.ts JSON; prints its report as JSON.
 */
import { Agent, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "../queue/stats.ts";
import type { Load, LoadReport } from "./load.ts";

// The driver has written it.
const load = JSON.parse(process.argv[2] ?? "") as Load;
const agent = new Agent({ keepAlive: true, maxSockets: load.streams });
const body = JSON.stringify({
  model: load.model,
  stream: true,
  messages: [{ role: "user", content: "Count the microseconds." }],
});
/** Nothing is counted before: connections are opened and code gets compiled. */
const countFrom = performance.now() + load.warmSeconds * 1000;
const endAt = countFrom + load.seconds * 1000;
const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

const firstMs: number[] = [];
const tokenMs: number[] = [];
let streams = 0;
let chunks = 0;
/** Server-sent events that brought them. */
let events = 0;
let failures = 0;
let failure = "";

function open(): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = request(
      load.url,
      { method: "POST", agent, headers: { "content-type": "application/json", ...load.headers } },
      resolve,
    );
    call.once("error", reject);
    call.end(body);
  });
}

/** The pieces of one answer, as lines of server-sent events. */
async function* contents(response: IncomingMessage): AsyncGenerator<string, void, void> {
  let held = "";
  for await (const part of response.setEncoding("utf8")) {
    const lines = (held + String(part)).split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("data: {")) continue;
      const event = JSON.parse(line.slice("data: ".length));
      if (event.error) throw new Error(JSON.stringify(event.error));
      const content = event.choices?.[0]?.delta?.content;
      if (typeof content === "string" && content !== "") yield content;
    }
  }
}

async function stream(): Promise<void> {
  const began = performance.now();
  const counts = began >= countFrom;
  const response = await open();
  if (response.statusCode !== 200) {
    let text = "";
    for await (const part of response.setEncoding("utf8")) text += String(part);
    throw new Error(`${response.statusCode} ${text}`);
  }
  let first = true;
  for await (const content of contents(response)) {
    const arrived = nowUs();
    if (first && counts) firstMs.push(performance.now() - began);
    first = false;
    const at = performance.now();
    if (at < countFrom || at >= endAt) continue;
    events++;
    // A gateway may join pieces: each still tells its own age.
    for (const written of content.trim().split(" ")) {
      chunks++;
      tokenMs.push((arrived - Number(written)) / 1000);
    }
  }
  if (counts) streams++;
}

async function caller(): Promise<void> {
  await sleep(Math.random() * load.spreadMs);
  while (performance.now() < endAt) {
    try {
      await stream();
    } catch (error) {
      failures++;
      failure = String(error);
      await sleep(50);
    }
  }
}

const cpuBefore = process.cpuUsage();
await Promise.all(Array.from({ length: load.streams }, caller));
agent.destroy();
const { user, system } = process.cpuUsage(cpuBefore);
const report: LoadReport = {
  streams,
  chunks,
  events,
  failures,
  failure,
  first_p50_ms: quantile(firstMs, 0.5),
  first_p99_ms: quantile(firstMs, 0.99),
  token_p50_ms: quantile(tokenMs, 0.5),
  token_p99_ms: quantile(tokenMs, 0.99),
  cpu_seconds: (user + system) / 1e6,
};
console.log(JSON.stringify(report));
