import { configKeys } from "./keys.ts";
import { toTree } from "./tree.ts";

/** Defaults that depend on the machine, as they are on most. */
const TYPICAL: Readonly<Record<string, unknown>> = {
  data_dir: "~/.local/share/aitbc",
  cache_dir: "~/.cache/aitbc",
  "client.url": "http://127.0.0.1:8000",
};

/** The configuration as a file with every default written out; settings without one are left out. */
export function exampleConfig(): Record<string, unknown> {
  const values = [...configKeys().values()].map(({ key, defaultValue }) => {
    return [key, TYPICAL[key] ?? defaultValue] as const;
  });
  return toTree(values.filter(([, value]) => value !== undefined));
}
