import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { TestDaemon } from "../../../../test/harness/daemon.ts";
import { loadConfig } from "../../../config/load.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { CheckResult } from "./check.ts";
import { runCheck } from "./check.ts";
import { diagnose } from "./doctor.ts";
import { checkClock, checkDescriptors } from "./machine.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "aitbc-doctor-test-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** Everything in a folder, names only. */
const tree = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true }).map(String).sort();

/** Looks at a data directory and returns the results by name. */
async function examine(
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, CheckResult>>> {
  const values = { data_dir: dataDir, cache_dir: join(home, "cache"), "http.port": "0", ...settings };
  const flags = Object.entries(values).map(([key, text]) => ({ key, text, flag: "test" }));
  const results: Record<string, CheckResult> = {};
  const load = async () => loadConfig({ env: { HOME: home }, cwd: home, flags, file: null });
  for await (const result of diagnose(load)) results[result.check] = result;
  return results;
}

const statuses = (results: Readonly<Record<string, CheckResult>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(results).map(([name, { status }]) => [name, status]));

describe("a machine where nothing ran yet", () => {
  it("is fine, and stays as it was", async () => {
    const before = tree(home);
    const results = await examine(join(home, "data"));
    expect(Object.values(results).filter(({ status }) => status === "fail")).toEqual([]);
    expect(results["sqlite"]).toMatchObject({
      status: "ok",
      found: expect.stringMatching(/journal wal, synchronous 2 after a read$/),
    });
    expect(results["engines"]?.found).toMatch(/builtin: .* loads and answers in/);
    expect(results["disk"]?.found).toMatch(/fsync p50 .* ms, p99 .* ms \(\d+ writes\)/);
    expect(tree(home)).toEqual(before);
  });
});

describe("a running daemon", () => {
  it("is found by its lock, its port and its health, and its database is looked at in place", async () => {
    await using daemon = await TestDaemon.start();
    const before = tree(daemon.dataDir);
    const { port } = new URL(daemon.daemon.url);
    const results = await examine(daemon.dataDir, { "http.port": port, "client.url": daemon.daemon.url });
    expect(statuses(results)).toMatchObject({
      data_directory: expect.stringMatching(/ok|warn/),
      key_files: "ok",
      lock: "ok",
      port: "ok",
      daemon: "ok",
      database: "ok",
    });
    expect(results["lock"]?.found).toContain(`process ${process.pid} `);
    expect(results["port"]?.found).toContain("held by aitbc");
    expect(results["database"]?.found).toContain("integrity ok, schema up to date");
    expect(tree(daemon.dataDir)).toEqual(before);
  });
});

describe("what is wrong", () => {
  const fresh = async (): Promise<string> => {
    const dataDir = join(home, "data");
    const daemon = await TestDaemon.start({ dataDir });
    await daemon.daemon.stop();
    return dataDir;
  };

  it("a configuration that is not valid leaves the checks that need none", async () => {
    const results = await examine(join(home, "data"), { "http.port": "x" });
    expect(results["config"]).toMatchObject({ status: "fail", code: "INVALID_CONFIG" });
    expect(Object.keys(results)).toEqual(["config", "gpus", "clock"]);
  });

  it("a data directory that is a file", async () => {
    writeFileSync(join(home, "data"), "");
    const results = await examine(join(home, "data"));
    expect(results["data_directory"]).toMatchObject({ status: "fail", code: "DATA_UNWRITABLE" });
  });

  it("directories and keys that others can read, with the command that closes them", async () => {
    const dataDir = await fresh();
    chmodSync(dataDir, 0o755);
    chmodSync(join(dataDir, "keys/admin.key"), 0o644);
    const results = await examine(dataDir);
    expect(results["data_directory"]).toMatchObject({
      status: "warn",
      mend: `close it: chmod 700 ${dataDir}`,
    });
    expect(results["key_files"]).toMatchObject({
      status: "fail",
      mend: expect.stringContaining(`chmod 600 ${join(dataDir, "keys/admin.key")}`),
    });
  });

  it("a directory that is open and holds other people's files", async () => {
    mkdirSync(join(home, "data"), { mode: 0o755 });
    writeFileSync(join(home, "data/other"), "");
    expect((await examine(join(home, "data")))["data_directory"]?.status).toBe("fail");
  });

  it("a damaged database", async () => {
    const dataDir = await fresh();
    const path = join(dataDir, "aitbc.db");
    truncateSync(path, 8192);
    const before = tree(dataDir);
    expect((await examine(dataDir))["database"]).toMatchObject({
      status: "fail",
      code: "STORAGE_UNAVAILABLE",
      found: expect.stringContaining("is damaged"),
    });
    expect(tree(dataDir)).toEqual(before);
  });

  it("a database of a newer version", async () => {
    const dataDir = await fresh();
    const raw = new Sqlite(join(dataDir, "aitbc.db"));
    raw.exec("insert into kernel_migration (position, name) values (9999, 'coordinator-9999-future')");
    raw.close();
    expect((await examine(dataDir))["database"]).toMatchObject({ status: "fail", code: "SCHEMA_NEWER" });
  });

  it("a port that another program holds", async () => {
    const server = createServer((_request, response) => void response.end("hello"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    // A listening TCP server has an address of this shape.
    const { port } = server.address() as AddressInfo;
    expect((await examine(join(home, "data"), { "http.port": String(port) }))["port"]).toMatchObject({
      status: "fail",
      mend: expect.stringContaining(`ss -ltnp 'sport = :${port}'`),
    });
  });

  it("a cache that is no directory", async () => {
    writeFileSync(join(home, "cache"), "");
    expect((await examine(join(home, "data")))["cache"]).toMatchObject({
      status: "fail",
      code: "CACHE_UNUSABLE",
    });
  });

  it("a GPU that llama.cpp cannot use, unless no miner is configured", async () => {
    const runtime = join(home, "runtime/node_modules");
    mkdirSync(join(runtime, "node-llama-cpp"), { recursive: true });
    const manifest = { name: "node-llama-cpp", version: "0", main: "./index.js" };
    writeFileSync(join(runtime, "node-llama-cpp/package.json"), JSON.stringify(manifest));
    const settings = {
      "miner.engines.llama.gpu": "auto",
      "miner.engines.llama.model_path": join(home, "model.gguf"),
      "miner.engines.llama.path": join(home, "runtime"),
    };
    const miner = (await examine(join(home, "data"), settings))["engines"];
    expect(miner).toMatchObject({
      status: "fail",
      code: "ENGINE_UNAVAILABLE",
      found: expect.stringMatching(/^--gpu auto: /),
      mend: expect.stringContaining("aitbc config explain"),
    });
    const other = (await examine(join(home, "data"), { ...settings, roles: "coordinator" }))["engines"];
    expect(other).toMatchObject({ status: "warn", found: expect.stringContaining("no miner is configured") });
  });

  it("a clock that is wrong, or is moved", async () => {
    const at = (wall: number, monotonic: number) => ({ wall, monotonic });
    const now = Date.UTC(2027, 0, 1);
    const status = async (start: ReturnType<typeof at>, end: ReturnType<typeof at>) =>
      (await checkClock(start, () => end).run(AbortSignal.abort())).status;
    expect(await status(at(now, 0), at(now + 100, 100))).toBe("ok");
    expect(await status(at(now, 0), at(now + 3_600_100, 100))).toBe("warn");
    expect(await status(at(0, 0), at(100, 100))).toBe("fail");
  });

  it("too few descriptors", async () => {
    expect((await checkDescriptors(16_384, 1024).run(AbortSignal.abort())).status).toBe("warn");
    expect((await checkDescriptors(100, 1024).run(AbortSignal.abort())).status).toBe("ok");
  });
});

describe("a check", () => {
  it("that hangs ends in time, and is told to stop", async () => {
    let told = false;
    const run = (signal: AbortSignal) => {
      signal.addEventListener("abort", () => {
        told = true;
      });
      return new Promise<never>(() => {});
    };
    expect(await runCheck({ name: "hanging", run }, 1)).toMatchObject({ status: "fail", code: "TIMEOUT" });
    expect(told).toBe(true);
  });

  it("that throws is a failure with the error's own code and advice", async () => {
    const run = () => {
      throw new AppError("STORAGE_UNSAFE", "not safe", { meta: { hint: "buy a disk" } });
    };
    expect(await runCheck({ name: "throwing", run }, 1000)).toEqual({
      check: "throwing",
      status: "fail",
      found: "not safe",
      mend: "buy a disk",
      code: "STORAGE_UNSAFE",
    });
  });
});
