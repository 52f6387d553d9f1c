import type { Io } from "./io.ts";

/** What the commands share: the process around them, and the exit code that they leave. */
export interface CliContext {
  readonly io: Io;
  exitCode: number;
}
