import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EXIT } from "../../src/kernel/errors.ts";
import { type Finished, Sandbox, type Served } from "../harness/process.ts";

const PROMPT = "What is 37 + 45?";
const ANSWER = "37 + 45 = 82.";
const JOB_ID = /^[0-9a-f]{32}$/;

let sandbox: Sandbox;
let served: Served;
beforeAll(async () => {
  sandbox = new Sandbox();
  served = await sandbox.serve(["--log-level", "debug"]);
});
afterAll(() => sandbox[Symbol.asyncDispose]());

/** A command in another terminal of the same machine: it knows the daemon's address and nothing else. */
function cli(...args: readonly string[]): Promise<Finished> {
  return sandbox.run(args, { env: { AITBC_URL: served.url } });
}

async function get(path: string): Promise<{ status: number; type: string; text: string }> {
  const response = await fetch(`${served.url}${path}`);
  return {
    status: response.status,
    type: response.headers.get("content-type") ?? "",
    text: await response.text(),
  };
}

describe("the daemon's own pages", () => {
  it("tell that it is alive and ready", async () => {
    expect(JSON.parse((await get("/readyz")).text)).toEqual({ status: "ready" });
    expect(JSON.parse((await get("/v1/health")).text)).toMatchObject({
      status: "ok",
      env: "production",
      roles: ["coordinator", "miner"],
    });
  });

  it("show metrics that parse: every sample belongs to a type, no name comes twice", async () => {
    const { status, type, text } = await get("/metrics");
    expect(status).toBe(200);
    expect(type).toContain("text/plain");
    const types = [...text.matchAll(/^# TYPE (\S+) (counter|gauge|histogram)$/gm)].map(
      ([, name]) => name ?? "",
    );
    expect(new Set(types).size).toBe(types.length);
    const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(samples.length).toBeGreaterThan(20);
    for (const sample of samples) {
      const [, name = ""] =
        /^([a-z_][a-z0-9_]*)(?:\{[^}]*\})? -?(?:\d[\d.e+-]*|\+Inf|NaN)$/.exec(sample) ?? [];
      expect(types, sample).toContain(types.includes(name) ? name : name.replace(/_(bucket|sum|count)$/, ""));
      expect(name).toMatch(/^aitbc_/);
    }
  });

  it("describe the interface as the repository does", async () => {
    const served_document: unknown = JSON.parse((await get("/openapi.json")).text);
    const stored: unknown = JSON.parse(
      readFileSync(join(import.meta.dirname, "../../protocols/openapi.json"), "utf8"),
    );
    expect(served_document).toEqual(stored);
    const { status, type, text } = await get("/docs");
    expect([status, type]).toEqual([200, expect.stringContaining("text/html")]);
    expect(text).toContain("/v1/jobs");
    expect((await get("/errors/JOB_NOT_FOUND")).status).toBe(200);
    expect((await get("/")).text).toContain("aitbc is running");
  });
});

describe("the client's commands, without any set-up", () => {
  it("submit: in a pipe stdout gets the answer alone", async () => {
    const { code, stdout, stderr } = await cli("client", "submit", "--prompt", PROMPT);
    expect([code, stdout]).toEqual([0, ANSWER]);
    expect(stderr).toContain("signed by miner and coordinator");
  });

  it("submit --output json: one object with everything", async () => {
    const { code, stdout } = await cli("--output", "json", "client", "submit", "--prompt", PROMPT);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      job_id: expect.stringMatching(JOB_ID),
      state: "COMPLETED",
      answer: ANSWER,
      error: null,
    });
  });

  it("submit --detach, then result --wait, status, receipt", async () => {
    const { stdout: id } = await cli("client", "submit", "--prompt", PROMPT, "--detach");
    const jobId = id.trim();
    expect(jobId).toMatch(JOB_ID);
    expect((await cli("client", "result", jobId, "--wait")).stdout).toBe(ANSWER);
    const status = await cli("client", "status", jobId, "--output", "json");
    expect(JSON.parse(status.stdout)).toMatchObject({ job_id: jobId, state: "COMPLETED", attempts: 1 });
    const receipt = await cli("client", "receipt", jobId);
    expect(JSON.parse(receipt.stdout)).toMatchObject({ job_id: jobId, version: "1.1" });
  });

  it("cancel: a job that waits is canceled, one that has ended is not; each failure has its exit code", async () => {
    const { stdout: id } = await cli(
      "client",
      "submit",
      "--prompt",
      PROMPT,
      "--model",
      "nobody-has-it",
      "--detach",
    );
    const jobId = id.trim();
    expect((await cli("client", "status", jobId)).stdout).toContain("none fits: no model nobody-has-it");
    expect((await cli("client", "result", jobId)).code).toBe(EXIT.conflict);
    const canceled = await cli("client", "cancel", jobId, "--output", "json");
    expect([canceled.code, JSON.parse(canceled.stdout).state]).toEqual([0, "CANCELED"]);
    expect((await cli("client", "cancel", jobId)).code).toBe(EXIT.conflict);
    expect((await cli("client", "receipt", jobId)).code).toBe(EXIT.notFound);
    expect((await cli("client", "status", "0".repeat(32))).code).toBe(EXIT.notFound);
    expect((await cli("client", "submit")).code).toBe(EXIT.usage);
  });
});

describe("receipt verify", () => {
  it("ends with 0 for pinned keys, with a code of its own for unknown signers, with another for a changed byte", async () => {
    const { stdout: id } = await cli("client", "submit", "--prompt", PROMPT, "--detach");
    await cli("client", "result", id.trim(), "--wait");
    const file = join(sandbox.home, "receipt.json");
    const { stdout: receipt } = await cli("client", "receipt", id.trim());
    writeFileSync(file, receipt);
    writeFileSync(join(sandbox.home, "answer.txt"), ANSWER);
    const identity = await cli("keys", "identity", "--output", "json");
    const keys = JSON.parse(identity.stdout) as { role: string; public_key: string }[];
    const pins = keys.flatMap(({ role, public_key }) => [`--${role}-key`, public_key]);
    expect(pins).toHaveLength(4);
    const verify = (...args: readonly string[]): Promise<Finished> =>
      sandbox.run(["receipt", "verify", file, ...args]);
    expect(await verify(...pins, "--output-file", "answer.txt")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("VERIFIED"),
    });
    expect((await verify()).code).toBe(EXIT.signerUnknown);
    writeFileSync(join(sandbox.home, "other.txt"), ANSWER.replace("82", "83"));
    expect((await verify(...pins, "--output-file", "other.txt")).code).toBe(EXIT.receiptInvalid);
    writeFileSync(file, receipt.replace(/"units": \d+/, '"units": 1000'));
    expect((await verify(...pins)).code).toBe(EXIT.receiptInvalid);
  });
});

describe("keys", () => {
  it("are created, listed and revoked, at once", async () => {
    const created = await cli("keys", "create", "--kind", "client", "--name", "my-app");
    const key = created.stdout.trim();
    expect(key).toMatch(/^ait_client_/);
    const keyId = key.split("_")[2] ?? "";
    const use = (): Promise<Finished> =>
      sandbox.run(["client", "submit", "--prompt", PROMPT], {
        env: { AITBC_URL: served.url, AITBC_API_KEY: key },
      });
    expect(await use()).toMatchObject({ code: 0, stdout: ANSWER });
    const listed = await cli("keys", "list");
    expect(listed.stdout).toContain("my-app");
    expect(listed.stdout).not.toContain(key);
    expect((await cli("keys", "revoke", keyId)).code).toBe(0);
    expect((await use()).code).toBe(EXIT.denied);
    expect((await cli("keys", "revoke", "0123456789abcdef")).code).toBe(EXIT.notFound);
  });
});

describe("the log", () => {
  it("never holds a prompt, an answer or a key, at its most talkative", async () => {
    const prompt = "xyzzy-secret-prompt";
    const { stdout: answer } = await cli("client", "submit", "--prompt", prompt);
    const { stdout: key } = await cli("keys", "create", "--kind", "miner", "--name", "spy");
    await fetch(`${served.url}/v1/jobs?key=${key.trim()}`, {
      headers: { authorization: `Bearer ${key.trim()}` },
    });
    await fetch(`${served.url}/v1/jobs`, {
      method: "POST",
      headers: { "x-api-key": sandbox.key("client"), "content-type": "application/json" },
      body: `{"payload":{"prompt":"${prompt}"`,
    });
    const { stderr, code } = await served.stop();
    expect(code).toBe(0);
    const lines = stderr.trim().split("\n");
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(() => JSON.parse(line), line).not.toThrow();
    const secrets = [
      prompt,
      PROMPT,
      ANSWER,
      answer,
      key.trim(),
      ...(["admin", "client", "miner"] as const).map((kind) => sandbox.key(kind)),
    ];
    for (const secret of secrets) expect(stderr).not.toContain(secret);
  });
});
