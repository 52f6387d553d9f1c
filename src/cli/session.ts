import type { Client } from "../client/client.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import type { KeyKind } from "../wire/access.ts";
import { type Io, writeLine } from "./io.ts";
import { type FlagMap, type GlobalOptions, toFlagSettings } from "./options.ts";
import { painter } from "./style.ts";

/** Loads the configuration of a command. Loaded late, so that help and version stay quick. */
export async function loadCommandConfig(
  io: Io,
  options: GlobalOptions,
  map: FlagMap = {},
): Promise<LoadedConfig> {
  const { loadConfig } = await import("../config/load.ts");
  if (options.apiKey !== undefined) {
    const advice = "--api-key shows the key to everybody on this machine; set AITBC_API_KEY instead";
    io.stderr.write(painter(io.stderr, io.env)("yellow", "warning: "));
    writeLine(io.stderr, advice);
  }
  return loadConfig({
    env: io.env,
    cwd: io.cwd,
    flags: toFlagSettings(options, map),
    ...(options.configFile === undefined ? {} : { file: options.configFile }),
  });
}

/** A client for a command that needs a kind of key: the given one, or this machine's own. */
export async function openClient(io: Io, options: GlobalOptions, kind: KeyKind): Promise<Client> {
  return openConfiguredClient((await loadCommandConfig(io, options)).config, kind);
}

/** The same, for a command that has loaded its configuration. */
export async function openConfiguredClient(config: Config, kind: KeyKind): Promise<Client> {
  const [{ findApiKey }, { createClient }] = await Promise.all([
    import("../config/api-key.ts"),
    import("../client/client.ts"),
  ]);
  return createClient({
    url: config.client.url,
    apiKey: await findApiKey(config, kind),
    timeoutMs: config.client.timeout_seconds * 1000,
  });
}
