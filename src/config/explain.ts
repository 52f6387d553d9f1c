import { configKeys } from "./keys.ts";
import { keyToVariable, type Origin } from "./layers.ts";
import type { LoadedConfig } from "./load.ts";
import { MASK, showValue } from "./problem.ts";
import { valueAt } from "./tree.ts";

/** One line of `aitbc config explain`. */
export interface ExplainedSetting {
  readonly key: string;
  /** As JSON, secrets masked; null when it is not set. */
  readonly value: string | null;
  readonly origin: Origin | null;
  /** The environment variable that sets it. */
  readonly variable: string;
  readonly allowed: string;
  readonly description: string;
}

/** Lists every setting with its value and where that comes from. */
export function explainConfig(loaded: LoadedConfig): readonly ExplainedSetting[] {
  return [...configKeys().values()].map((entry) => {
    const value = valueAt(loaded.config, entry.key);
    const unset = value === undefined;
    return {
      key: entry.key,
      value: unset ? null : entry.secret ? MASK : showValue(value, false),
      origin: unset ? null : (loaded.origins.get(entry.key) ?? "default"),
      variable: keyToVariable(entry.key),
      allowed: entry.allowed,
      description: entry.description,
    };
  });
}
