import { constants } from "node:os";
import type { SecretBytes } from "../crypto/secret-bytes.ts";
import type { Io } from "./io.ts";
import { openTerminalEditor } from "./line-editor.ts";

/** Exit code of a program whose reader went away: what a shell shows for SIGPIPE. */
const BROKEN_PIPE_EXIT = 128 + constants.signals.SIGPIPE;

async function readSecretFromTerminal(prompt: string): Promise<SecretBytes> {
  // Before the prompt, so that nothing typed after it is shown.
  const { readTypedSecret } = await import("./secret-prompt.ts");
  const typed = readTypedSecret(process.stdin);
  process.stderr.write(prompt);
  try {
    return await typed;
  } finally {
    process.stderr.write("\n");
  }
}

/** The process itself as an Io. A reader that goes away (`| head`) ends it quietly. */
export function createProcessIo(): Io {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(BROKEN_PIPE_EXIT);
      throw error;
    });
  }
  return {
    env: process.env,
    cwd: process.cwd(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    ...(process.stdin.isTTY && { openEditor: openTerminalEditor, readSecret: readSecretFromTerminal }),
    uptimeMs: () => performance.now(),
    onSignal(signal, listener) {
      process.on(signal, listener);
      return () => process.off(signal, listener);
    },
    exit: (code) => process.exit(code),
  };
}
