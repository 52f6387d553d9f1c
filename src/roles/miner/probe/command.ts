import { execFile } from "node:child_process";

/**
 * Longest wait for a tool, in ms: nvidia-smi takes seconds on a machine with many cards whose driver has to wake
 * up first, and hangs for ever on a broken one.
 */
const COMMAND_MS = 10_000;
/** Most output of a tool, in bytes: machines with the most cards need a hundredth of it. */
const MAX_OUTPUT_BYTES = 256 * 1024;

/** How a tool answered. `text` is what it wrote, errors too: some write the reason to stdout. */
export type CommandAnswer =
  | { readonly kind: "answered"; readonly text: string }
  | { readonly kind: "absent" }
  | { readonly kind: "failed"; readonly reason: string; readonly text: string };

/** Runs one of the machine's tools. */
export type RunCommand = (file: string, args: readonly string[]) => Promise<CommandAnswer>;

/** Runs a tool without a shell, bounded in time and output. Never rejects. */
export const runCommand: RunCommand = (file, args) =>
  new Promise((resolve) => {
    const options = { timeout: COMMAND_MS, killSignal: "SIGKILL", maxBuffer: MAX_OUTPUT_BYTES } as const;
    execFile(file, [...args], options, (error, stdout, stderr) => {
      if (error === null) return resolve({ kind: "answered", text: stdout });
      if (error.code === "ENOENT") return resolve({ kind: "absent" });
      const text = stdout.trim() === "" ? stderr : stdout;
      resolve({ kind: "failed", reason: reasonOf(error), text });
    });
  });

function reasonOf(error: { readonly code?: unknown; readonly killed?: boolean | undefined }): string {
  if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return "wrote too much";
  if (error.killed === true) return `did not answer within ${COMMAND_MS / 1000} s`;
  return typeof error.code === "number" ? `ended with exit code ${error.code}` : String(error.code);
}
