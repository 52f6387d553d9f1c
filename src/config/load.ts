import { readFileSync } from "node:fs";
import { dirname, isAbsolute } from "node:path";
import { AppError } from "../kernel/errors.ts";
import { parseJson } from "../kernel/json.ts";
import { configKeys } from "./keys.ts";
import {
  CONFIG_FILE_VARIABLE,
  environmentLayer,
  type FlagSetting,
  fileLayer,
  flagLayer,
  type Layer,
  type Origin,
  type Setting,
} from "./layers.ts";
import { type Environment, resolvePath, type StandardPaths, standardPaths } from "./paths.ts";
import { type ConfigProblem, configError, showValue } from "./problem.ts";
import { Config } from "./schema.ts";
import { toTree } from "./tree.ts";

/** Largest config file, in bytes: a real one has a few kilobytes, so a larger one is the wrong file. */
const MAX_FILE_BYTES = 1024 * 1024;

export interface ConfigSources {
  readonly env: Environment;
  /** Directory that relative paths of flags and variables start from. */
  readonly cwd: string;
  readonly flags: readonly FlagSetting[];
  /** `--config-file`; null reads no file at all. Absent: AITBC_CONFIG, then the standard place. */
  readonly file?: string | null;
}

export interface LoadedConfig {
  readonly config: Config;
  /** Where each setting comes from, by dotted key. Settings that are absent have no entry. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** The config file, and whether it exists. */
  readonly file: { readonly path: string; readonly found: boolean };
}

const EMPTY: Layer = { settings: new Map(), problems: [] };

/** The config file that a process reads, and whether it must exist because somebody named it. */
export function configFilePath(sources: ConfigSources): { path: string; named: boolean } {
  const named = sources.file ?? sources.env[CONFIG_FILE_VARIABLE];
  if (named) return { path: resolvePath(named, sources.cwd, sources.env), named: true };
  return { path: standardPaths(sources.env).configFile, named: false };
}

function readText(path: string, named: boolean): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT" && !named) return undefined;
    const what = code === "ENOENT" ? "does not exist" : `cannot be read (${String(code)})`;
    throw configError([`the config file ${path} ${what}`], cause);
  }
}

function readFileLayer(path: string, named: boolean): Layer | undefined {
  const text = readText(path, named);
  if (text === undefined) return undefined;
  if (text.length > MAX_FILE_BYTES) {
    throw configError([
      `the config file ${path} is larger than ${MAX_FILE_BYTES} bytes; is it the right file?`,
    ]);
  }
  try {
    return fileLayer(parseJson(text), path);
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw configError([`the config file ${path} is not valid JSON: ${cause.message}`], cause);
  }
}

/** Hosts that mean "every address": a client on the same machine reaches them over loopback. */
const ANY_HOST: ReadonlySet<unknown> = new Set(["0.0.0.0", "::", "*"]);
const DEFAULT_HTTP = { host: "127.0.0.1", port: 8000 };

/** The URL of the daemon that this same configuration starts. */
function localUrl(settings: ReadonlyMap<string, Setting>): string {
  const host = settings.get("http.host")?.value ?? DEFAULT_HTTP.host;
  const port = settings.get("http.port")?.value || DEFAULT_HTTP.port;
  const name = typeof host !== "string" || ANY_HOST.has(host) ? DEFAULT_HTTP.host : host;
  const url = `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
  // A wrong host or port is reported as itself and not as a wrong URL too.
  return URL.canParse(url) ? url : `http://${DEFAULT_HTTP.host}:${DEFAULT_HTTP.port}`;
}

/** Values that depend on the machine. They are the lowest layer. */
function machineDefaults(settings: ReadonlyMap<string, Setting>, paths: StandardPaths): Map<string, Setting> {
  return new Map([
    ["data_dir", { value: paths.dataDir, origin: "default" }],
    ["cache_dir", { value: paths.cacheDir, origin: "default" }],
    ["client.url", { value: localUrl(settings), origin: "default" }],
  ]);
}

/** Makes the paths among the settings absolute: a file's own are relative to the file. */
function resolvePaths(settings: Map<string, Setting>, file: string, sources: ConfigSources): void {
  for (const entry of configKeys().values()) {
    const setting = settings.get(entry.key);
    if (!entry.isPath || typeof setting?.value !== "string" || setting.value === "") continue;
    const base = setting.origin === file ? dirname(file) : sources.cwd;
    settings.set(entry.key, { ...setting, value: resolvePath(setting.value, base, sources.env) });
  }
}

/** The setting that an issue is about: the longest dotted prefix that is a setting. */
function findKey(path: readonly PropertyKey[]): string | undefined {
  for (let length = path.length; length > 0; length--) {
    const key = path.slice(0, length).join(".");
    if (configKeys().has(key)) return key;
  }
  return undefined;
}

type Issue = { readonly path: readonly PropertyKey[]; readonly message: string; readonly code?: string };

function toProblem(issue: Issue, settings: ReadonlyMap<string, Setting>): ConfigProblem {
  const key = findKey(issue.path);
  const entry = key === undefined ? undefined : configKeys().get(key);
  if (key === undefined || !entry) return `${issue.path.join(".")}: ${issue.message}`;
  const setting = settings.get(key);
  const inside = issue.path.slice(key.split(".").length).join(".");
  const shown = setting ? ` = ${showValue(setting.value, entry.secret)} (from ${setting.origin})` : "";
  const where = inside === "" || /^\d+$/.test(inside) ? "" : `, member ${inside}: ${issue.message}`;
  return `${key}${shown} is not allowed${where}; it must be ${entry.allowed}`;
}

/** Rules that span more than one setting, or that a schema cannot say well. */
function checkTogether(config: Config, origins: ReadonlyMap<string, Origin>): ConfigProblem[] {
  const { url } = config.database;
  const from = `(from ${origins.get("database.url") ?? "default"})`;
  if (/^postgres(?:ql)?:/i.test(url)) {
    return [
      `database.url ${from} names a PostgreSQL server, which this version cannot use; leave it out to use SQLite in the data directory`,
    ];
  }
  if (url.startsWith("sqlite:") && (url === "sqlite:" || isAbsolute(url.slice("sqlite:".length)))) return [];
  return [
    `database.url = ${showValue(url, false)} ${from} is not allowed; it must be sqlite: or sqlite:/absolute/path.db`,
  ];
}

/**
 * Loads the configuration: flags, then `AITBC_*` variables, then the file, then defaults. Everything that is
 * wrong is found in one go.
 * @throws AppError INVALID_CONFIG; `meta.problems` lists every problem
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const { path, named } = configFilePath(sources);
  const fromFile = sources.file === null ? undefined : readFileLayer(path, named);
  const layers = [
    fromFile ?? EMPTY,
    environmentLayer(sources.env, parseJson),
    flagLayer(sources.flags, parseJson),
  ];
  const given = new Map(layers.flatMap((layer) => [...layer.settings]));
  const settings = new Map([...machineDefaults(given, standardPaths(sources.env)), ...given]);
  resolvePaths(settings, path, sources);
  const problems = layers.flatMap((layer) => layer.problems);
  const parsed = Config.safeParse(toTree([...settings].map(([key, { value }]) => [key, value])));
  if (!parsed.success) problems.push(...parsed.error.issues.map((issue) => toProblem(issue, settings)));
  const origins = new Map<string, Origin>();
  for (const { key, defaultValue } of configKeys().values()) {
    const origin = settings.get(key)?.origin ?? (defaultValue === undefined ? undefined : "default");
    if (origin !== undefined) origins.set(key, origin);
  }
  if (parsed.success) problems.push(...checkTogether(parsed.data, origins));
  if (!parsed.success || problems.length > 0) throw configError([...new Set(problems)]);
  return { config: parsed.data, origins, file: { path, found: fromFile !== undefined } };
}
