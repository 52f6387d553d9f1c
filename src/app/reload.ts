import { configKeys } from "../config/keys.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../kernel/log.ts";

/** Settings that take effect while the daemon runs. */
const LIVE_KEYS: ReadonlySet<string> = new Set(["miner.price", "miner.slots"]);

/** What differs between two configurations, by dotted key. */
interface ConfigChanges {
  /** Takes effect at once. */
  readonly live: readonly string[];
  /** Takes effect with the next start. */
  readonly restart: readonly string[];
}

/** Compares the configuration that a daemon runs with one that was read anew. */
export function compareConfigs(running: Config, read: Config): ConfigChanges {
  const changed = [...configKeys().keys()].filter(
    (key) => JSON.stringify(valueAt(running, key)) !== JSON.stringify(valueAt(read, key)),
  );
  return {
    live: changed.filter((key) => LIVE_KEYS.has(key)),
    restart: changed.filter((key) => !LIVE_KEYS.has(key)),
  };
}

/**
 * What a daemon does with a configuration that was read anew. `adjust` gets the miner's terms when they changed.
 * Values are logged of the live settings alone: among the others are secrets.
 */
export function createReload(
  started: Config,
  log: Log,
  adjust: (terms: Pick<Config["miner"], "price" | "slots">) => void,
): (read: Config) => void {
  let running = started;
  return (read) => {
    const { live, restart } = compareConfigs(running, read);
    const { price, slots } = read.miner;
    if (live.length > 0) {
      running = { ...running, miner: { ...running.miner, price, slots } };
      adjust({ price, slots });
    }
    log.info({ changed: live, price, slots, needs_restart: restart }, "configuration read again");
  };
}

function valueAt(config: Config, key: string): unknown {
  return key
    .split(".")
    .reduce<unknown>(
      (value, name) => (typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined),
      config,
    );
}
