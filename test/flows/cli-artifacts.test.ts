/** The commands about artifacts, against a daemon on its own socket. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Io } from "../../src/cli/io.ts";
import { runCli } from "../../src/cli/run.ts";
import { createClient } from "../../src/client/client.ts";
import { EXIT } from "../../src/kernel/errors.ts";
import { MAX_CHUNK_BYTES, MAX_INLINE_BYTES } from "../../src/wire/limits.ts";
import { TestClock } from "../harness/clock.ts";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { job } from "../harness/jobs.ts";
import { ScriptedMiner } from "../harness/scripted-miner.ts";

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const OK = 0;
const CONTENT = Buffer.alloc(3 * MIB, "something to keep ");
const sha256Of = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");
const SHA256 = sha256Of(CONTENT);

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function home(): string {
  const directory = mkdtempSync(join(tmpdir(), "aitbc-cli-artifacts-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function aitbc(
  daemon: TestDaemon,
  cwd: string,
  args: readonly string[],
  { terminal = false, url = daemon.url } = {},
): Promise<Ran> {
  const out = { stdout: "", stderr: "" };
  const output = (name: keyof typeof out): Io["stdout"] => ({
    isTTY: terminal,
    write(text) {
      out[name] += text;
      return true;
    },
    once: () => {},
  });
  const code = await runCli(args, {
    env: { HOME: cwd, AITBC_URL: url, AITBC_DATA_DIR: daemon.dataDir, NO_COLOR: "1" },
    cwd,
    stdin: (async function* () {})(),
    stdout: output("stdout"),
    stderr: output("stderr"),
    uptimeMs: () => performance.now(),
    onSignal: () => () => {},
    exit: (status) => {
      throw new Error(`exit ${status}`);
    },
  });
  return { code, ...out };
}

/** A way to a daemon that cuts off each answer after so many bytes; the ranges that were asked for. */
async function cutting(daemon: TestDaemon, bytes: number): Promise<{ url: string; ranges: string[] }> {
  const ranges: string[] = [];
  const { hostname, port } = new URL(daemon.url);
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname);
    let left = bytes;
    client.on("data", (part: Buffer) => {
      const range = /range: (\S+)/i.exec(part.toString("latin1"))?.[1];
      if (range !== undefined) ranges.push(range);
      server.write(part);
    });
    server.on("data", (part: Buffer) => {
      client.write(part.subarray(0, left));
      left -= part.length;
      if (left <= 0) client.end();
    });
    for (const socket of [client, server]) {
      socket.on("error", () => {});
      socket.on("close", () => {
        server.destroy();
        client.end();
      });
    }
  });
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
  onTestFinished(() => void proxy.close());
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, ranges };
}

describe("aitbc client artifact", () => {
  it("puts, lists, gets and deletes", async () => {
    const daemon = await bootDaemon();
    const cwd = home();
    writeFileSync(join(cwd, "in.bin"), CONTENT);
    const put = await aitbc(daemon, cwd, ["client", "artifact", "put", "in.bin", "--type", "image/png"]);
    expect(put).toMatchObject({ code: OK, stdout: `sha256:${SHA256}\n` });
    const list = await aitbc(daemon, cwd, ["client", "artifact", "list", "--output", "json"]);
    expect(JSON.parse(list.stdout)).toMatchObject([
      { artifact: `sha256:${SHA256}`, size_bytes: CONTENT.length, media_type: "image/png" },
    ]);
    expect(list.stderr).toContain("3.0 MiB of 4.0 GiB used");
    const get = await aitbc(daemon, cwd, ["client", "artifact", "get", SHA256, "-o", "out.bin"]);
    expect(get).toMatchObject({ code: OK, stdout: `${join(cwd, "out.bin")}\n` });
    expect(readFileSync(join(cwd, "out.bin")).equals(CONTENT)).toBe(true);
    const gone = await aitbc(daemon, cwd, ["client", "artifact", "delete", SHA256, "--output", "json"]);
    expect(JSON.parse(gone.stdout)).toMatchObject({ artifact: `sha256:${SHA256}` });
    expect((await aitbc(daemon, cwd, ["client", "artifact", "list", "--output", "json"])).stdout).toBe(
      "[]\n",
    );
  });

  it("shows how far it is on a terminal", async () => {
    const daemon = await bootDaemon();
    const cwd = home();
    writeFileSync(join(cwd, "in.bin"), CONTENT);
    const { stderr } = await aitbc(daemon, cwd, ["client", "artifact", "put", "in.bin"], { terminal: true });
    expect(stderr).toContain("uploading 3.0 MiB of 3.0 MiB · 100 %");
  });

  it("goes on where a connection broke, and where an earlier call did", async () => {
    const daemon = await bootDaemon();
    const cwd = home();
    writeFileSync(join(cwd, "in.bin"), CONTENT);
    await aitbc(daemon, cwd, ["client", "artifact", "put", "in.bin"]);
    const earlier = join(cwd, `out.bin.${SHA256.slice(0, 16)}.part`);
    writeFileSync(earlier, CONTENT.subarray(0, 1000));
    const { url, ranges } = await cutting(daemon, MIB);
    const get = await aitbc(daemon, cwd, ["client", "artifact", "get", SHA256, "-o", "out.bin"], { url });
    expect(get.code).toBe(OK);
    expect(readFileSync(join(cwd, "out.bin")).equals(CONTENT)).toBe(true);
    expect(ranges[0]).toBe("bytes=1000-");
    expect(ranges.length).toBeGreaterThan(2);
    expect(existsSync(earlier)).toBe(false);
  });

  it("throws away what has another SHA-256", async () => {
    const daemon = await bootDaemon();
    const cwd = home();
    writeFileSync(join(cwd, "in.bin"), CONTENT);
    await aitbc(daemon, cwd, ["client", "artifact", "put", "in.bin"]);
    const stored = join(daemon.dataDir, "artifacts", SHA256.slice(0, 2), SHA256);
    writeFileSync(stored, Buffer.alloc(CONTENT.length, "something else "));
    const get = await aitbc(daemon, cwd, ["client", "artifact", "get", SHA256, "-o", "out.bin"]);
    expect(get.code).not.toBe(OK);
    expect(get.stderr).toContain(`does not have the SHA-256 ${SHA256}`);
    expect(readdirSync(cwd)).toEqual(["in.bin"]);
  });

  it("says what is wrong: the quota, an artifact that has expired, a name, a file", async () => {
    const clock = new TestClock();
    const daemon = await bootDaemon({
      clock,
      settings: {
        "coordinator.artifacts.owner_quota_bytes": String(4 * MIB),
        "coordinator.artifacts.keep_hours": "1",
      },
    });
    const cwd = home();
    writeFileSync(join(cwd, "in.bin"), CONTENT);
    writeFileSync(join(cwd, "more.bin"), Buffer.alloc(2 * MIB, "more"));
    const run = (...args: string[]): Promise<Ran> => aitbc(daemon, cwd, ["client", "artifact", ...args]);
    await run("put", "in.bin");
    const full = await run("put", "more.bin");
    expect(full.stderr).toMatch(/more than the 4194304 bytes[\s\S]*aitbc client artifact list/);
    clock.advance(HOUR_MS);
    const expired = await run("get", SHA256);
    expect(expired).toMatchObject({ code: EXIT.notFound });
    expect(expired.stderr).toContain("it expired, was deleted");
    expect(readdirSync(cwd).sort()).toEqual(["in.bin", "more.bin"]);
    expect((await run("get", "nonsense")).stderr).toContain("64 lower-case hex digits");
    expect((await run("put", "nothing.bin")).stderr).toContain("nothing.bin");
  });
});

describe("aitbc client result", () => {
  it("prints an output over 1 MiB, which it gets as an artifact and checks", async () => {
    const daemon = await bootDaemon();
    const cwd = home();
    const { job_id: jobId } = await daemon.client.submitJob(job("go on"));
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    let text = "";
    for (const part = "x".repeat(MAX_CHUNK_BYTES); text.length <= MAX_INLINE_BYTES; text += part) {
      await work.deliver(part);
    }
    work.complete();
    await miner.next("completed");
    const plain = await aitbc(daemon, cwd, ["client", "result", jobId]);
    expect(plain.code).toBe(OK);
    expect(plain.stdout === text).toBe(true);
    const json = await aitbc(daemon, cwd, ["client", "result", jobId, "--output", "json"]);
    expect((JSON.parse(json.stdout) as { result: { text: string } }).result.text === text).toBe(true);
  });
});

describe("the metrics of artifacts", () => {
  it("count what is stored, sent, refused and expired", async () => {
    const clock = new TestClock();
    const settings = {
      "coordinator.artifacts.max_bytes": String(4 * MIB),
      "coordinator.artifacts.keep_hours": "1",
    };
    const daemon = await bootDaemon({ clock, settings });
    const cwd = home();
    writeFileSync(join(cwd, "in.bin"), CONTENT);
    const { artifacts } = createClient({ url: daemon.url, apiKey: daemon.keys.client, timeoutMs: 20_000 });
    await artifacts.put(join(cwd, "in.bin"), "image/png");
    await artifacts.get(SHA256, join(cwd, "out.bin"));
    writeFileSync(join(cwd, "large.bin"), Buffer.alloc(5 * MIB));
    await expect(artifacts.put(join(cwd, "large.bin"), "image/png")).rejects.toThrow("at most");
    const scrape = async (): Promise<string> => (await fetch(`${daemon.url}/metrics`)).text();
    const before = await scrape();
    for (const line of [
      `stored_bytes ${CONTENT.length}`,
      "uploads_total 1",
      `uploaded_bytes_total ${CONTENT.length}`,
      "downloads_total 1",
      `downloaded_bytes_total ${CONTENT.length}`,
      'rejected_total{code="PAYLOAD_TOO_LARGE"} 1',
      "expired_total 0",
    ]) {
      expect(before).toContain(`\naitbc_coordinator_artifact_${line}\n`);
    }
    clock.advance(HOUR_MS);
    const url = `${daemon.url}/v1/admin/maintenance/cleanup`;
    const headers = { "x-api-key": daemon.keys.admin, "content-type": "application/json" };
    expect((await fetch(url, { method: "POST", headers, body: "{}" })).status).toBe(200);
    const after = await scrape();
    expect(after).toContain("\naitbc_coordinator_artifact_expired_total 1\n");
    expect(after).toContain("\naitbc_coordinator_artifact_stored_bytes 0\n");
  });
});
