import { type ConfigKey, configKeys } from "./keys.ts";
import type { ConfigProblem } from "./problem.ts";
import { suggest } from "./suggest.ts";

/** Where a value comes from, as `aitbc config explain` prints it. */
export type Origin = string;

/** A value of one setting, before it is checked. */
export interface Setting {
  readonly value: unknown;
  readonly origin: Origin;
}

/** Settings of one layer by dotted key, and what was wrong in it. */
export interface Layer {
  readonly settings: ReadonlyMap<string, Setting>;
  readonly problems: readonly ConfigProblem[];
}

/** A setting from the command line. */
export interface FlagSetting {
  readonly key: string;
  /** As it was typed. */
  readonly text: string;
  /** The option's name, as `--port`. */
  readonly flag: string;
}

export type ParseJson = (text: string) => unknown;

function hint(unknown: string): string {
  const meant = suggest(unknown, configKeys().keys());
  return meant === undefined ? "; `aitbc config explain` lists all of them" : `; did you mean ${meant}?`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Flattens the config file's object to dotted settings. `file` names it in errors. */
export function fileLayer(root: unknown, file: string): Layer {
  const keys = configKeys();
  const settings = new Map<string, Setting>();
  const problems: ConfigProblem[] = [];
  const isSection = (path: string): boolean => [...keys.keys()].some((key) => key.startsWith(`${path}.`));
  const walk = (value: Record<string, unknown>, prefix: string): void => {
    for (const [name, child] of Object.entries(value)) {
      const path = `${prefix}${name}`;
      if (keys.get(path)?.secret) {
        problems.push(
          `${path} is a secret and does not belong into ${file}; put it into a file that only you can read and name that in ${path}_file`,
        );
      } else if (keys.has(path)) settings.set(path, { value: child, origin: file });
      else if (!isSection(path)) problems.push(`${path} (in ${file}) is not a setting${hint(path)}`);
      else if (isObject(child)) walk(child, `${path}.`);
      else problems.push(`${path} (in ${file}) is a section and must be an object`);
    }
  };
  if (isObject(root)) walk(root, "");
  else problems.push(`${file} must hold one JSON object`);
  return { settings, problems };
}

/** Environment variables with names of their own. */
const NAMED_VARIABLES: Readonly<Record<string, string>> = {
  AITBC_URL: "client.url",
  AITBC_API_KEY: "client.api_key",
  AITBC_ROLE: "client.role",
};

/** Variables that are not settings: where the config file is. */
export const CONFIG_FILE_VARIABLE = "AITBC_CONFIG";
const PREFIX = "AITBC_";

/** The setting that an environment variable names: `AITBC_HTTP__PORT` is `http.port`. */
function variableToKey(name: string): string {
  return NAMED_VARIABLES[name] ?? name.slice(PREFIX.length).toLowerCase().replaceAll("__", ".");
}

/** The environment variable of a setting. */
export function keyToVariable(key: string): string {
  const named = Object.entries(NAMED_VARIABLES).find(([, target]) => target === key);
  return named?.[0] ?? `${PREFIX}${key.toUpperCase().replaceAll(".", "__")}`;
}

function textSetting(entry: ConfigKey, text: string, origin: Origin, parseJson: ParseJson): Setting {
  return { value: entry.fromText(text, parseJson), origin };
}

/** Reads the `AITBC_*` variables. An empty variable counts as absent, as shells and service files write it. */
export function environmentLayer(
  env: Readonly<Record<string, string | undefined>>,
  parseJson: ParseJson,
): Layer {
  const keys = configKeys();
  const settings = new Map<string, Setting>();
  const problems: ConfigProblem[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || name === CONFIG_FILE_VARIABLE || !text) continue;
    const key = variableToKey(name);
    const entry = keys.get(key);
    if (!entry) {
      const meant = suggest(key, keys.keys());
      const tip = meant ? `; did you mean ${keyToVariable(meant)}?` : "; unset it";
      problems.push(`the environment variable ${name} names no setting${tip}`);
      continue;
    }
    try {
      settings.set(key, textSetting(entry, text, name, parseJson));
    } catch {
      problems.push(`${key} (from ${name}) is not valid JSON: it must be ${entry.allowed}`);
    }
  }
  return { settings, problems };
}

/** Reads the settings of the command line. */
export function flagLayer(flags: readonly FlagSetting[], parseJson: ParseJson): Layer {
  const keys = configKeys();
  const settings = new Map<string, Setting>();
  const problems: ConfigProblem[] = [];
  for (const { key, text, flag } of flags) {
    const entry = keys.get(key);
    try {
      if (entry) settings.set(key, textSetting(entry, text, flag, parseJson));
      else problems.push(`${flag} names the setting ${key}, which does not exist`);
    } catch {
      problems.push(`${key} (from ${flag}) is not valid JSON: it must be ${entry?.allowed}`);
    }
  }
  return { settings, problems };
}
