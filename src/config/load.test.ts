import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../kernel/errors.ts";
import { databaseFile } from "./data-paths.ts";
import { exampleConfig } from "./example.ts";
import { explainConfig } from "./explain.ts";
import type { FlagSetting } from "./layers.ts";
import { type LoadedConfig, loadConfig } from "./load.ts";
import { MASK, showValue } from "./problem.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "aitbc-config-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Given {
  file?: unknown;
  env?: Record<string, string>;
  flags?: readonly FlagSetting[];
}

function load({ file, env = {}, flags = [] }: Given): LoadedConfig {
  const path = join(directory, "config.json");
  if (file !== undefined) writeFileSync(path, typeof file === "string" ? file : JSON.stringify(file));
  return loadConfig({
    env: { HOME: directory, ...env },
    cwd: directory,
    flags,
    ...(file === undefined ? {} : { file: path }),
  });
}

function problemsOf(given: Given): readonly string[] {
  try {
    load(given);
  } catch (error) {
    if (error instanceof AppError && error.code === "INVALID_CONFIG") {
      const problems = error.meta["problems"];
      return Array.isArray(problems) ? problems : [];
    }
    throw error;
  }
  return [];
}

describe("precedence", () => {
  const file = { http: { port: 1001 } };
  const env = { AITBC_HTTP__PORT: "1002" };
  const flags = [{ key: "http.port", text: "1003", flag: "--port" }];

  it.each([
    ["default", {}, 8000, "default"],
    ["file over default", { file }, 1001, "config.json"],
    ["environment over file", { file, env }, 1002, "AITBC_HTTP__PORT"],
    ["flag over environment", { file, env, flags }, 1003, "--port"],
  ])("%s", (_name, given: Given, port, origin) => {
    const loaded = load(given);
    expect(loaded.config.http.port).toBe(port);
    expect(loaded.origins.get("http.port")).toContain(origin);
  });

  it("finds the file in the standard place, and works without it", () => {
    const { config, file: found } = load({});
    expect(found).toEqual({ path: join(directory, ".config/aitbc/config.json"), found: false });
    expect(config.data_dir).toBe(join(directory, ".local/share/aitbc"));
    expect(config.cache_dir).toBe(join(directory, ".cache/aitbc"));
    expect(config.roles).toEqual(["coordinator", "miner"]);
  });

  it("a file that was named must exist", () => {
    expect(problemsOf({ env: { AITBC_CONFIG: "/nowhere/c.json" } })).toEqual([
      "the config file /nowhere/c.json does not exist",
    ]);
  });

  it("takes a service manager's directories, and only absolute XDG ones", () => {
    const service = load({ env: { STATE_DIRECTORY: "/var/lib/aitbc", XDG_CACHE_HOME: "relative" } }).config;
    expect(service.data_dir).toBe("/var/lib/aitbc");
    expect(service.cache_dir).toBe(join(directory, ".cache/aitbc"));
  });
});

describe("values", () => {
  it("reads the names that existing clients use", () => {
    const { config } = load({ env: { AITBC_URL: "http://h:1", AITBC_ROLE: "admin", AITBC_CACHE_DIR: "/c" } });
    expect(config.client.url).toBe("http://h:1");
    expect(config.client.role).toBe("admin");
    expect(config.cache_dir).toBe("/c");
  });

  it("reads lists and numbers from text, and counts an empty variable as absent", () => {
    const env = { AITBC_ROLES: "coordinator", AITBC_CLIENT__TIMEOUT_SECONDS: "1.5", AITBC_ENV: "" };
    const { config } = load({ env });
    expect(config.roles).toEqual(["coordinator"]);
    expect(config.client.timeout_seconds).toBe(1.5);
    expect(config.env).toBe("production");
  });

  it("the client finds the daemon of the same configuration", () => {
    expect(load({ file: { http: { host: "0.0.0.0", port: 9000 } } }).config.client.url).toBe(
      "http://127.0.0.1:9000",
    );
    expect(load({ file: { http: { host: "::1" } } }).config.client.url).toBe("http://[::1]:8000");
  });

  it("a file's relative paths start at the file, a flag's at the working directory", () => {
    expect(load({ file: { data_dir: "d" } }).config.data_dir).toBe(join(directory, "d"));
    expect(load({ file: { data_dir: "~/d" } }).config.data_dir).toBe(join(directory, "d"));
    const flags = [{ key: "data_dir", text: "../x", flag: "--data-dir" }];
    expect(load({ flags }).config.data_dir).toBe(join(directory, "../x"));
  });

  it("names the database file", () => {
    expect(databaseFile(load({ env: { AITBC_DATA_DIR: "/d" } }).config)).toBe("/d/aitbc.db");
    expect(databaseFile(load({ file: { database: { url: "sqlite:/x/y.db" } } }).config)).toBe("/x/y.db");
  });
});

describe("what is wrong is said with its place", () => {
  it.each<[string, Given, RegExp]>([
    [
      "near name",
      { file: { http: { prot: 1 } } },
      /^http\.prot \(in .*config\.json\) is not a setting; did you mean http\.port\?$/,
    ],
    ["wrong section", { file: { port: 1 } }, /^port .* did you mean http\.port\?$/],
    ["unlike anything", { file: { zzzzzz: 1 } }, /`aitbc config explain` lists all of them$/],
    ["section that is none", { file: { http: 3 } }, /^http .* is a section and must be an object$/],
    [
      "near variable",
      { env: { AITBC_HTTP_PORT: "1" } },
      /^the environment variable AITBC_HTTP_PORT names no setting; did you mean AITBC_HTTP__PORT\?$/,
    ],
    [
      "out of range",
      { env: { AITBC_HTTP__PORT: "70000" } },
      /^http\.port = 70000 \(from AITBC_HTTP__PORT\) is not allowed; it must be a whole number from 0 to 65535$/,
    ],
    [
      "wrong type",
      { env: { AITBC_HTTP__PORT: "eighty" } },
      /^http\.port = "eighty" \(from AITBC_HTTP__PORT\)/,
    ],
    [
      "unknown choice",
      { flags: [{ key: "log.level", text: "loud", flag: "--log-level" }] },
      /^log\.level = "loud" \(from --log-level\) .* one of debug, info, warn/,
    ],
    [
      "unknown role",
      { env: { AITBC_ROLES: "coordinator,wizard" } },
      /^roles = \["coordinator","wizard"\] .* a list of: coordinator, miner, wallet$/,
    ],
    [
      "URL",
      { env: { AITBC_URL: "localhost:8000" } },
      /^client\.url = "localhost:8000" \(from AITBC_URL\) .* http:\/\/ or https:\/\/ URL$/,
    ],
    [
      "PostgreSQL",
      { file: { database: { url: "postgres://a:b@c/d" } } },
      /names a PostgreSQL server, which this version cannot use/,
    ],
    [
      "database",
      { file: { database: { url: "sqlite:relative.db" } } },
      /must be sqlite: or sqlite:\/absolute\/path\.db$/,
    ],
    ["broken JSON", { file: "{,}" }, /is not valid JSON: expected a member name/],
    ["duplicate member", { file: '{"env":"a","env":"b"}' }, /duplicate member, at \/env/],
    [
      "secret in the file",
      { file: { client: { api_key: "ait_x" } } },
      /^client\.api_key is a secret .* name that in client\.api_key_file$/,
    ],
  ])("%s", (_name, given, expected) => {
    expect(problemsOf(given)).toEqual([expect.stringMatching(expected)]);
  });

  it("finds everything in one go", () => {
    const problems = problemsOf({ file: { http: { port: -1 }, log: { level: "x" } }, env: { AITBC_X: "1" } });
    expect(problems).toHaveLength(3);
  });

  it("never shows a secret", () => {
    const postgres = problemsOf({ file: { database: { url: "mysql://name:hunter2@host/db" } } });
    expect(postgres.join()).toContain(`mysql://name:${MASK}@host/db`);
    expect(postgres.join()).not.toContain("hunter2");
    expect(showValue("hunter2", true)).toBe(MASK);
  });
});

describe("the example", () => {
  it("is a config file that changes nothing", () => {
    expect(load({ file: exampleConfig() }).config).toEqual(load({}).config);
  });
});

describe("explain", () => {
  it("prints each setting with value and origin, secrets masked", () => {
    const lines = explainConfig(
      load({ env: { AITBC_API_KEY: "ait_client_hunter2", AITBC_LOG__LEVEL: "warn" } }),
    );
    const byKey = new Map(lines.map((line) => [line.key, line]));
    expect(byKey.get("client.api_key")).toMatchObject({ value: MASK, origin: "AITBC_API_KEY" });
    expect(byKey.get("log.level")).toMatchObject({ value: '"warn"', origin: "AITBC_LOG__LEVEL" });
    expect(byKey.get("http.port")).toMatchObject({
      value: "8000",
      origin: "default",
      variable: "AITBC_HTTP__PORT",
    });
    expect(byKey.get("client.role")).toMatchObject({ value: null, origin: null });
    expect(JSON.stringify(lines)).not.toContain("hunter2");
  });

  it("describes every setting", () => {
    expect(explainConfig(load({})).filter((line) => line.description === "")).toEqual([]);
  });
});
