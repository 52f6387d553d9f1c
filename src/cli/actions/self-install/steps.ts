import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { flushFile, flushFolderOf } from "../../../kernel/db/files.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { Host } from "./host.ts";

/** One thing that is made sure of. Doing it twice is doing it once. */
export interface Step {
  /** What it brings about, for people. */
  readonly about: string;
  /** The same as a line of shell. */
  readonly command: string;
  /** Whether there is nothing to do; `changed` tells whether an earlier step of this run did something. */
  isDone(changed: boolean): boolean | Promise<boolean>;
  apply(): void | Promise<void>;
}

const EXECUTABLE_MODE = 0o755;
const TEXT_MODE = 0o644;
const PERMISSIONS = 0o777;

/** Runs a command. @throws AppError INTERNAL with what it said when it fails */
async function must(host: Host, command: readonly [string, ...string[]]): Promise<void> {
  const { code, output } = await host.run(command);
  if (code === 0) return;
  throw new AppError("INTERNAL", `${command.join(" ")} failed (exit code ${code}): ${output}`);
}

export const succeeds = async (host: Host, command: readonly [string, ...string[]]): Promise<boolean> =>
  (await host.run(command)).code === 0;

/** A step that runs one command. */
export function commandStep(
  host: Host,
  about: string,
  command: readonly [string, ...string[]],
  isDone: Step["isDone"],
): Step {
  return { about, command: command.join(" "), isDone, apply: () => must(host, command) };
}

/** Writes beside the target and moves into place: nobody ever runs or reads half a file. */
function replaceFile(target: string, mode: number, write: (path: string) => void): void {
  mkdirSync(dirname(target), { recursive: true });
  const fresh = join(dirname(target), `.aitbc-${randomBytes(6).toString("hex")}`);
  try {
    write(fresh);
    chmodSync(fresh, mode);
    flushFile(fresh);
    renameSync(fresh, target);
    flushFolderOf(target);
  } finally {
    rmSync(fresh, { force: true });
  }
}

const hashOf = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

/** Whether a file has this mode and, where sizes do not tell already, this content. */
function isSame(path: string, source: string): boolean {
  const [one, other] = [statSync(path, { throwIfNoEntry: false }), statSync(source)];
  if (one === undefined || (one.mode & PERMISSIONS) !== EXECUTABLE_MODE || one.size !== other.size)
    return false;
  return (one.ino === other.ino && one.dev === other.dev) || hashOf(path) === hashOf(source);
}

/** Puts a copy of the executable `source` to `path`. */
export function executableStep(host: Host, source: string, path: string): Step {
  const target = host.root + path;
  return {
    about: `put the executable to ${path}`,
    command: `install -D -m 0755 ${source} ${path}`,
    isDone: () => isSame(target, source),
    apply: () => replaceFile(target, EXECUTABLE_MODE, (fresh) => copyFileSync(source, fresh)),
  };
}

/** Makes a directory that everybody can read. */
export function directoryStep(host: Host, about: string, path: string): Step {
  return {
    about,
    command: `install -d -m 0755 ${path}`,
    isDone: () => existsSync(host.root + path),
    apply() {
      mkdirSync(host.root + path, { recursive: true, mode: 0o755 });
    },
  };
}

/** Writes a text that everybody can read. */
export function textStep(host: Host, path: string, text: string): Step {
  const target = host.root + path;
  return {
    about: `write ${path}`,
    command: `install -D -m 0644 /dev/stdin ${path}`,
    isDone: () => existsSync(target) && readFileSync(target, "utf8") === text,
    apply: () => replaceFile(target, TEXT_MODE, (fresh) => writeFileSync(fresh, text)),
  };
}

/** Removes a file. */
export function removeStep(host: Host, path: string): Step {
  return {
    about: `remove ${path}`,
    command: `rm ${path}`,
    isDone: () => !existsSync(host.root + path),
    apply: () => rmSync(host.root + path),
  };
}
