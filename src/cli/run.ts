import { CommanderError } from "commander";
import { EXIT } from "../kernel/errors.ts";
import type { CliContext } from "./context.ts";
import type { Io } from "./io.ts";
import { createProgram } from "./program.ts";
import { reportError } from "./report-error.ts";

/**
 * Runs a command line and returns its exit code: 0, the error registry's, or 130 for an interrupt.
 * `args` are the words after the program's name.
 */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const context: CliContext = { io, exitCode: 0 };
  try {
    await createProgram(context).parseAsync(args, { from: "user" });
    return context.exitCode;
  } catch (error) {
    // Commander has printed its own: 0 for help and version, anything else is wrong usage.
    if (error instanceof CommanderError) return isHelp(error) ? 0 : EXIT.usage;
    return reportError(io, error, args.includes("--debug"));
  }
}

/** Whether somebody asked for help or the version. A group without a command shows help as an error. */
function isHelp(error: CommanderError): boolean {
  return ["commander.helpDisplayed", "commander.version"].includes(error.code);
}
