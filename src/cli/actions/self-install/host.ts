import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { SINGLE_FILE } from "../../../app/assets.ts";
import { AppError } from "../../../kernel/errors.ts";

/** How a command of the system ended. */
export interface CommandResult {
  readonly code: number;
  readonly output: string;
}

/** The machine that the service is installed on. */
export interface Host {
  readonly platform: NodeJS.Platform;
  /** Effective user id; undefined where there is none. */
  readonly uid: number | undefined;
  /** The running executable when it is the single file, else undefined. */
  readonly executable: string | undefined;
  /** Whether systemd manages this machine (sd_booted(3)). */
  readonly hasSystemd: boolean;
  /** Stands before every path that is written or read; empty on a real machine. */
  readonly root: string;
  run(command: readonly [string, ...string[]]): Promise<CommandResult>;
}

/** Longest run of one command, in ms: starting a service may wait for the one before it to stop. */
const COMMAND_MS = 120_000;

function run([file, ...args]: readonly [string, ...string[]]): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(file, args, { timeout: COMMAND_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      const output = `${stdout}${stderr}`.trim();
      resolve({ code, output: output || (error?.message ?? "") });
    });
  });
}

/** This machine. */
export function thisHost(): Host {
  return {
    platform: process.platform,
    uid: process.geteuid?.(),
    executable: SINGLE_FILE ? process.execPath : undefined,
    hasSystemd: existsSync("/run/systemd/system"),
    root: "",
    run,
  };
}

/**
 * Why nothing can be installed or removed here, the first reason first; empty when it can.
 * `needsFile` is for installing: only the single file can be copied as a whole.
 */
export function refusals(host: Host, needsFile: boolean): readonly AppError[] {
  const found: AppError[] = [];
  const refuse = (code: "UNSUPPORTED_FEATURE" | "NOT_PERMITTED", detail: string, hint: string): void => {
    found.push(new AppError(code, detail, { meta: { hint } }));
  };
  if (host.platform !== "linux") {
    refuse(
      "UNSUPPORTED_FEATURE",
      "a systemd service needs Linux",
      "run aitbc serve under your system's own manager",
    );
  } else if (!host.hasSystemd) {
    refuse(
      "UNSUPPORTED_FEATURE",
      "systemd does not manage this machine",
      "--dry-run prints the unit all the same",
    );
  }
  if (needsFile && host.executable === undefined) {
    const hint = "build it (npm run build) and run: sudo dist/aitbc self install";
    refuse("UNSUPPORTED_FEATURE", "only the single file can install itself", hint);
  }
  if (host.uid !== 0) refuse("NOT_PERMITTED", "this needs root", "run it with sudo; --dry-run needs no root");
  return found;
}
