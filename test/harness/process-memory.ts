import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** Bytes of memory that are searched at a time. */
const WINDOW_BYTES = 16 * 1024 * 1024;

interface Region {
  readonly start: number;
  readonly end: number;
}

/** The readable regions of a process's memory (proc_pid_maps(5)). */
function regionsOf(pid: number): readonly Region[] {
  const lines = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return lines.flatMap((line) => {
    const [, start, end, name] = /^([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+\s*(.*)$/.exec(line) ?? [];
    // The kernel's own page, which cannot be read, lies past what a number can name.
    if (start === undefined || end === undefined || name === "[vsyscall]") return [];
    return [{ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) }];
  });
}

/** A secret in the forms in which it could lie in memory. */
function formsOf(secret: Uint8Array): ReadonlyMap<string, Buffer> {
  const bytes = Buffer.from(secret);
  const texts = {
    hex: bytes.toString("hex"),
    "upper-case hex": bytes.toString("hex").toUpperCase(),
    base64: bytes.toString("base64").replaceAll("=", ""),
    base64url: bytes.toString("base64url"),
  };
  return new Map([
    ["raw", bytes],
    ...Object.entries(texts).flatMap(([name, text]): [string, Buffer][] => [
      [name, Buffer.from(text, "latin1")],
      // How V8 keeps a text that has any character past Latin-1.
      [`${name} in UTF-16`, Buffer.from(text, "utf16le")],
    ]),
  ]);
}

/** Which forms of a secret the memory of a process holds, looked at from outside. */
export function findInMemory(pid: number, secret: Uint8Array): readonly string[] {
  const forms = formsOf(secret);
  const longest = Math.max(...[...forms.values()].map(({ length }) => length));
  const found = new Set<string>();
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const window = Buffer.alloc(WINDOW_BYTES);
  try {
    for (const { start, end } of regionsOf(pid)) {
      // Windows overlap, so that what crosses from one to the next is seen.
      for (let at = start; at < end; at += WINDOW_BYTES - longest) {
        const length = readWindow(memory, window, at, Math.min(WINDOW_BYTES, end - at));
        for (const [name, form] of forms) if (window.subarray(0, length).includes(form)) found.add(name);
      }
    }
  } finally {
    closeSync(memory);
  }
  return [...found].sort();
}

/** Bytes read; 0 for a region that cannot be read, such as memory of a device. */
function readWindow(file: number, window: Buffer, at: number, length: number): number {
  try {
    return readSync(file, window, 0, length, at);
  } catch {
    return 0;
  }
}
