import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

/** The environment of a process, as an argument. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the program keeps its files when nobody says otherwise. */
export interface StandardPaths {
  readonly configFile: string;
  readonly dataDir: string;
  readonly cacheDir: string;
}

const NAME = "aitbc";

/** The home directory of an environment. */
function homeOf(env: Environment): string {
  return env["HOME"] || homedir();
}

/**
 * A base directory after the XDG Base Directory Specification 0.8: its variable counts only when absolute.
 * A service manager's own variable (systemd.exec(5), for example STATE_DIRECTORY=/var/lib/aitbc) comes first.
 */
function baseDirectory(env: Environment, service: string, xdg: string, fallback: string): string {
  const managed = env[service]?.split(":")[0];
  if (managed && isAbsolute(managed)) return managed;
  const base = env[xdg];
  return join(base && isAbsolute(base) ? base : join(homeOf(env), fallback), NAME);
}

/** The standard paths of an environment. */
export function standardPaths(env: Environment): StandardPaths {
  const configDir = baseDirectory(env, "CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME", ".config");
  return {
    configFile: join(configDir, "config.json"),
    dataDir: baseDirectory(env, "STATE_DIRECTORY", "XDG_DATA_HOME", ".local/share"),
    cacheDir: baseDirectory(env, "CACHE_DIRECTORY", "XDG_CACHE_HOME", ".cache"),
  };
}

/** Makes a path absolute: `~/` is the home directory, everything else is relative to `base`. */
export function resolvePath(path: string, base: string, env: Environment): string {
  if (path === "~" || path.startsWith("~/")) return join(homeOf(env), path.slice(1));
  return resolve(base, path);
}
