import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";

/** Output kept of one command: enough for every error of a bad day, bounded so that a runaway cannot fill memory. */
const MAX_OUTPUT_CHARS = 2_000_000;

/** Process groups of the commands that run at the moment, killed when this process is interrupted. */
const runningGroups = new Set<number>();

export interface CommandResult {
  /** Exit code; 1 when the command was killed or could not be started. */
  readonly code: number;
  /** stdout and stderr in the order they came, without colours. */
  readonly output: string;
}

/**
 * Runs a command to its end in its own process group (in the folder `cwd`, or this one's) and collects what it prints.
 * After `timeoutMs` milliseconds the whole group is killed and the result is a failure that says so.
 * Never rejects: a command that cannot be started is a failure too.
 */
export function runCommand(
  command: string,
  args: readonly string[],
  timeoutMs: number,
  cwd?: string,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const group = child.pid;
    if (group !== undefined) runningGroups.add(group);
    let output = "";
    const append = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-MAX_OUTPUT_CHARS);
    };
    child.stdout.on("data", append);
    child.stderr.on("data", append);
    const timer = setTimeout(() => {
      output += `\nkilled: ran longer than ${timeoutMs / 1000} s\n`;
      if (group !== undefined) killGroup(group);
    }, timeoutMs);
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ code: 1, output: `${output}\ncannot start ${command}: ${error.message}\n` });
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (group !== undefined) runningGroups.delete(group);
      resolve({ code: code ?? 1, output: stripVTControlCharacters(output) });
    });
  });
}

/** Makes an interrupt of this process end every command it started; without it detached groups would live on. */
export function killCommandsOnInterrupt(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      for (const group of runningGroups) killGroup(group);
      process.exit(130);
    });
  }
}

function killGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // The group ended between the decision and the signal.
  }
}
