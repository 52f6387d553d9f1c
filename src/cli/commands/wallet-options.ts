import type { Command } from "commander";
import { wholeNumber } from "../options.ts";

/** Highest file descriptor that a shell opens. */
export const MAX_FD = 1023;

/** The options that say where a password comes from. */
export function addPasswordOptions(command: Command): Command {
  return command
    .option("--password-file <file>", "read the password from the first line of a file")
    .option("--password-fd <n>", "read the password from a file descriptor", wholeNumber(0, MAX_FD));
}
