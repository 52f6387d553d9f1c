#!/usr/bin/env node
/** The process edge: signals and exit codes. */
import { enableCompileCache } from "node:module";
import { isSea } from "node:sea";

/** First word of the command line that starts the child process of the llama engine. */
const ENGINE_CHILD = "__engine";
/** First word of the command line that starts the process that holds a wallet's keys. */
const SIGNER_CHILD = "__signer";

// From its sources the program starts twice as fast when Node finds them compiled, here where no other user can write.
if (!isSea()) enableCompileCache(`${import.meta.dirname}/../node_modules/.cache/aitbc-compile`);

// A listener of our own keeps SIGUSR1 from opening Node's inspector, which would hand out keys and memory.
process.on("SIGUSR1", () => {});

if (process.argv[2] === ENGINE_CHILD) {
  const { runEngineProcess } = await import("./app/engine-process.ts");
  runEngineProcess(process.argv.slice(3));
} else if (process.argv[2] === SIGNER_CHILD) {
  const { runSignerProcess } = await import("./app/signer-process.ts");
  await runSignerProcess(process.argv.slice(3));
} else {
  const [{ runCli }, { createProcessIo }] = await Promise.all([
    import("./cli/run.ts"),
    import("./cli/process-io.ts"),
  ]);
  // What a command left open (a kept-alive connection) must not hold the process.
  process.exit(await runCli(process.argv.slice(2), createProcessIo()));
}
