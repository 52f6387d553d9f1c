import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EXIT } from "../kernel/errors.ts";
import type { Io, StopSignal } from "./io.ts";
import { runCli } from "./run.ts";

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
  units: 5,
  price_uait: "1500000",
  error: null,
  queue: {
    position: 3,
    position_is_lower_bound: false,
    miners_online: 3,
    miners_eligible: 0,
    reason: "3 miners online, none has model x",
    eta_p50_ms: null,
    eta_p90_ms: null,
  },
};
const RECEIPT = { receipt_id: "r1", units: 5, price: 1, signature: { alg: "Ed25519" }, attestations: [{}] };

let home: string;
let server: Server | undefined;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "aitbc-cli-"));
});
afterEach(async () => {
  rmSync(home, { recursive: true, force: true });
  server?.closeAllConnections();
  if (server) await new Promise((resolve) => server?.close(resolve));
  server = undefined;
});

interface Given {
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  /** Both outputs are terminals. */
  readonly terminal?: boolean;
  /** Called with each text that stdout gets, and a function that sends a signal. */
  readonly onStdout?: (text: string, signal: (name: StopSignal) => void) => void;
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(args: readonly string[], given: Given = {}): Promise<Ran> {
  const written = { stdout: "", stderr: "" };
  const listeners = new Map<StopSignal, () => void>();
  const signal = (name: StopSignal): void => listeners.get(name)?.();
  const output = (name: "stdout" | "stderr") => ({
    isTTY: given.terminal ?? false,
    write(text: string) {
      written[name] += text;
      if (name === "stdout") given.onStdout?.(text, signal);
      return true;
    },
    once() {},
  });
  const io: Io = {
    env: { HOME: home, ...given.env },
    cwd: home,
    stdin: (async function* () {
      yield new TextEncoder().encode(given.stdin ?? "");
    })(),
    stdout: output("stdout"),
    stderr: output("stderr"),
    uptimeMs: () => 1,
    onSignal(name, listener) {
      listeners.set(name, listener);
      return () => listeners.delete(name);
    },
    exit(code) {
      throw new Error(`exit ${code}`);
    },
  };
  return { code: await runCli(args, io), ...written };
}

const sse = (event: string, data: unknown, id?: number): string =>
  `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
const end = (seq: number, state: string, error: string | null = null): string =>
  sse(
    "end",
    { state, error, finish_reason: null, delivered_bytes: 5, receipt_id: "r1", units: 5, usage: null },
    seq,
  );
const STREAM = [
  sse("state", { state: "QUEUED", attempt: 0, miner_id: null, queue: VIEW.queue }),
  sse("chunk", { seq: 1, segment: 1, text: "He" }, 1),
  sse("chunk", { seq: 2, segment: 1, text: "llo\u001b[2J" }, 2),
].join("");

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly key: unknown;
  readonly body: string;
}

/** A daemon of a few lines, with one job. `events` writes its stream. */
async function serve(
  events: (response: ServerResponse, seen: Seen[]) => void,
): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const json = (response: ServerResponse, status: number, value: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  };
  const answers: Readonly<Record<string, readonly [status: number, value: unknown]>> = {
    "POST /v1/jobs": [201, VIEW],
    [`GET /v1/jobs/${JOB_ID}`]: [200, VIEW],
    [`GET /v1/jobs/${JOB_ID}/receipt`]: [200, RECEIPT],
    [`POST /v1/jobs/${JOB_ID}/cancel`]: [200, { ...VIEW, state: "CANCELED" }],
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const found = answers[`${request.method} ${request.url}`];
    if (found) json(response, ...found);
    else if (request.url === `/v1/jobs/${JOB_ID}/events`) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      events(response, seen);
    } else {
      const problem = { code: "JOB_NOT_FOUND", status: 404, title: "t", detail: "there is no such job" };
      json(response, 404, problem);
    }
  };
  server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    seen.push({ method: request.method, url: request.url, key: request.headers["x-api-key"], body });
    answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  // A listening TCP server has an address of this shape.
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const completed = (response: ServerResponse): void => void response.end(STREAM + end(3, "COMPLETED"));

describe("usage", () => {
  it.each([
    [[]],
    [["client"]],
    [["miner"]],
    [["receipt"]],
    [["chain", "genesis"]],
    [["keys"]],
    [["config"]],
    [["demo"]],
    [["serve"]],
    [["backup"]],
    [["restore"]],
    [["doctor"]],
    [["self"]],
    [["self", "install"]],
    [["self", "uninstall"]],
    [["completion"]],
    [["version"]],
    [["miner", "start"]],
    [["client", "submit"]],
    [["client", "template"]],
    [["client", "chat"]],
    [["client", "models"]],
    [["client", "embed"]],
    [["client", "batch-submit"]],
    [["status"]],
    [["admin"]],
    [["receipt", "verify"]],
  ])("%j has help with examples", async (words) => {
    const { code, stdout, stderr } = await run([...words, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("Examples:\n");
  });

  it("lists its commands", async () => {
    const { stdout } = await run(["--help"]);
    const section = stdout.split("Commands:\n")[1]?.split("\n\n")[0] ?? "";
    const names = [...section.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name);
    expect(names).toEqual([
      "demo",
      "serve",
      "miner",
      "client",
      "status",
      "receipt",
      "chain",
      "wallet",
      "admin",
      "keys",
      "config",
      "backup",
      "restore",
      "doctor",
      "self",
      "completion",
      "version",
      "help",
    ]);
  });

  it.each([
    [["client", "subm"], "Did you mean submit?"],
    [["client", "submit"], "required option '--prompt <text>' not specified"],
    [
      ["client", "submit", "--prompt", "x", "--max-tokens", "0"],
      "It must be a whole number from 1 to 131072.",
    ],
    [["client", "submit", "--prompt", "x", "--temperature", "hot"], "It must be a number from 0 to 2."],
    [["client", "submit", "--prompt", "x", "--presence-penalty", "-3"], "It must be a number from -2 to 2."],
    [
      ["client", "submit", "--prompt", "x", "--format", "xml"],
      "It must be json, or @FILE with a JSON Schema.",
    ],
    [["version", "--output", "xml"], "Allowed choices are table, json, yaml."],
    [["serve", "--port", "eighty"], 'http.port = "eighty" (from --port) is not allowed'],
    [
      ["config", "validate", "--config-file", "/nowhere.json"],
      "the config file /nowhere.json does not exist",
    ],
  ])("%j is wrong usage", async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: EXIT.usage, stdout: "" });
    expect(stderr).toContain(message);
  });

  it("prints the version as table, JSON and YAML", async () => {
    expect((await run(["version"])).stdout).toMatch(/^aitbc {5}\d/);
    expect(JSON.parse((await run(["version", "--output", "json"])).stdout)).toMatchObject({
      node: process.version,
    });
    expect((await run(["--output", "yaml", "version"])).stdout).toContain(`node: ${process.version}`);
  });
});

describe("errors", () => {
  it("are one line, what to do, and the exit code of their class", async () => {
    const { code, stderr } = await run(["client", "status", JOB_ID, "--url", "http://127.0.0.1:9"]);
    expect(code).toBe(EXIT.unreachable);
    expect(stderr).toMatch(
      /^error: no daemon answers at http:\/\/127\.0\.0\.1:9: .* \[UNREACHABLE\]\n {2}→ start it with: aitbc serve\n$/,
    );
  });

  it("show a stack only when asked to", async () => {
    const args = ["client", "status", JOB_ID, "--url", "http://127.0.0.1:9"];
    expect((await run(args)).stderr).not.toContain("    at ");
    expect((await run([...args, "--debug"])).stderr).toContain("    at ");
  });

  it("list every problem of a configuration", async () => {
    const { stderr } = await run(["config", "validate"], {
      env: { AITBC_HTTP__PORT: "x", AITBC_LOG__LEVEL: "y" },
    });
    expect(stderr).toContain("http.port");
    expect(stderr).toContain("  also: log.level");
  });

  it("are painted on a terminal only, and never under NO_COLOR", async () => {
    const args = ["client", "status", JOB_ID, "--url", "http://127.0.0.1:9"];
    expect((await run(args, { terminal: true })).stderr).toContain("\u001b[31merror: ");
    expect((await run(args, { terminal: true, env: { NO_COLOR: "1" } })).stderr).toMatch(/^error: /);
  });
});

describe("keys of this machine", () => {
  beforeEach(() => {
    mkdirSync(join(home, "data/keys"), { recursive: true });
    for (const kind of ["client", "admin"])
      writeFileSync(join(home, `data/keys/${kind}.key`), `local-${kind}\n`, { mode: 0o600 });
  });
  const status = (url: string, env: Record<string, string> = {}, more: readonly string[] = []) =>
    run(["client", "status", JOB_ID, "--url", url, "--data-dir", "data", ...more], { env });

  it("are used without any set-up, by kind and by role", async () => {
    const { url, seen } = await serve(completed);
    await status(url);
    await status(url, { AITBC_ROLE: "admin" });
    await status(url, { AITBC_API_KEY: "given" });
    expect(seen.map(({ key }) => key)).toEqual(["local-client", "local-admin", "given"]);
  });

  it("never leave this machine", async () => {
    const { url, seen } = await serve(completed);
    await status(url.replace("127.0.0.1", "0.0.0.0"));
    expect(seen.map(({ key }) => key)).toEqual([undefined]);
  });

  it("--api-key works, with a warning", async () => {
    const { url, seen } = await serve(completed);
    const { stderr } = await status(url, {}, ["--api-key", "k"]);
    expect(seen[0]?.key).toBe("k");
    expect(stderr).toMatch(/^warning: .* set AITBC_API_KEY instead\n$/);
  });
});

describe("client submit", () => {
  const submit = (url: string, given: Given = {}, ...more: string[]) =>
    run(["client", "submit", "--prompt", "Hi", "--url", url, ...more], given);

  it("gives a pipe the answer alone, byte for byte", async () => {
    const { url, seen } = await serve(completed);
    const { code, stdout, stderr } = await submit(url, {}, "--seed", "7", "--ttl", "60");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "Hello\u001b[2J" });
    expect(stderr).toBe(
      `job ${JOB_ID}\nreceipt r1 · 5 units · 0.000001 AIT · signed by miner and coordinator\n`,
    );
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({
      payload: { type: "inference", prompt: "Hi", seed: 7 },
      ttl_seconds: 60,
    });
  });

  it("shows a terminal the queue, and an answer that cannot steer it", async () => {
    const { url } = await serve(completed);
    const { stdout, stderr } = await submit(url, { terminal: true });
    expect(stdout).toBe("Hello\uFFFD[2J\n");
    expect(stderr).toContain("waiting · position 3 · 3 miners online, none has model x");
  });

  it("reads the prompt from stdin", async () => {
    const { url, seen } = await serve(completed);
    const { code } = await run(["client", "submit", "--prompt", "-", "--url", url], { stdin: "Grüße\n" });
    expect(code).toBe(0);
    expect(JSON.parse(seen[0]?.body ?? "").payload.prompt).toBe("Grüße");
  });

  it("writes one line of JSON", async () => {
    const { url } = await serve(completed);
    const { stdout } = await submit(url, {}, "--output", "json");
    expect(stdout.endsWith("}\n")).toBe(true);
    expect(JSON.parse(stdout)).toEqual({
      job_id: JOB_ID,
      state: "COMPLETED",
      answer: "Hello\u001b[2J",
      error: null,
      receipt_id: "r1",
    });
  });

  it("leaves a detached job alone", async () => {
    const { url, seen } = await serve(completed);
    const { stdout, stderr } = await submit(url, {}, "--detach");
    expect({ stdout, stderr, calls: seen.length }).toEqual({ stdout: `${JOB_ID}\n`, stderr: "", calls: 1 });
  });

  it.each([
    ["FAILED", "ENGINE_FAILED: it stopped", "failed: ENGINE_FAILED: it stopped [JOB_FAILED]"],
    ["EXPIRED", null, "expired before a miner took it [JOB_EXPIRED]"],
    ["CANCELED", null, "was canceled [JOB_CANCELED]"],
  ])("tells a job that ended %s", async (state, error, message) => {
    const { url } = await serve((response) => void response.end(STREAM + end(3, state, error)));
    const { code, stderr } = await submit(url);
    expect(code).toBe(EXIT.jobFailed);
    expect(stderr).toContain(`error: job ${JOB_ID} ${message}`);
  });

  it("Ctrl-C cancels the job and says so", async () => {
    let stream: ServerResponse | undefined;
    const { url, seen } = await serve((response) => {
      stream = response;
      response.write(STREAM);
    });
    let asked = false;
    const onStdout: Given["onStdout"] = (_text, signal) => {
      if (!asked) signal("SIGINT");
      asked = true;
    };
    server?.on("request", (request: IncomingMessage) => {
      if (request.url?.endsWith("/cancel")) stream?.end(end(3, "CANCELED"));
    });
    const { code, stderr } = await submit(url, { onStdout });
    expect(code).toBe(130);
    expect(stderr).toContain(`canceling job ${JOB_ID}`);
    expect(stderr).toContain(`job ${JOB_ID} was canceled, as you asked`);
    expect(seen.filter((one) => one.url?.endsWith("/cancel"))).toHaveLength(1);
  });

  it("a second Ctrl-C leaves at once", async () => {
    const { url } = await serve((response) => void response.write(STREAM));
    const onStdout: Given["onStdout"] = (_text, signal) => {
      signal("SIGINT");
      signal("SIGINT");
    };
    expect((await submit(url, { onStdout })).code).toBe(130);
  });
});

describe("client status, cancel and receipt", () => {
  it("lays a job out for people, or prints it whole", async () => {
    const { url } = await serve(completed);
    const table = await run(["client", "status", JOB_ID, "--url", url]);
    expect(table.stdout).toContain("waiting    position 3 · 3 miners online, none has model x\n");
    expect(table.stdout).toContain("price      1.5 AIT for 5 units\n");
    const json = await run(["client", "status", JOB_ID, "--url", url, "--output", "json"]);
    expect(JSON.parse(json.stdout)).toEqual(VIEW);
  });

  it("prints a receipt as it is, for a file", async () => {
    const { url } = await serve(completed);
    expect(JSON.parse((await run(["client", "receipt", JOB_ID, "--url", url])).stdout)).toEqual(RECEIPT);
  });

  it("says that there is no such job", async () => {
    const { url } = await serve(completed);
    const { code, stderr } = await run(["client", "cancel", "0", "--url", url]);
    expect(code).toBe(EXIT.notFound);
    expect(stderr).toMatch(/^error: there is no such job \[JOB_NOT_FOUND\]\n {2}→ /);
  });
});
