/** Builds the nested object of dotted settings. Every prefix of a key must be a section, never a setting. */
export function toTree(settings: Iterable<readonly [key: string, value: unknown]>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of settings) {
    const path = key.split(".");
    let node = root;
    for (const part of path.slice(0, -1)) {
      // What stands at a prefix is an object that was made here.
      node[part] ??= {};
      node = node[part] as Record<string, unknown>;
    }
    node[path.at(-1) ?? key] = value;
  }
  return root;
}

/** The value at a dotted key; undefined where there is none. */
export function valueAt(tree: object, key: string): unknown {
  let value: unknown = tree;
  for (const part of key.split(".")) {
    const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
    value = entries.find(([name]) => name === part)?.[1];
  }
  return value;
}
