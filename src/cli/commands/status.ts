import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import type { GlobalOptions } from "../options.ts";

interface StatusOptions extends GlobalOptions {
  readonly watch?: boolean;
}

export function addStatusCommand(program: Command, { io }: CliContext): void {
  program
    .command("status")
    .description("queue, miners and machine of a coordinator")
    .option("--watch", "stay, and draw it anew each second; Ctrl-C ends it")
    .addHelpText("after", examples(["aitbc status --watch", "a live view, with rates"]))
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<StatusOptions>();
      const { showStatus } = await import("../actions/status.ts");
      await showStatus(io, options, options.watch === true);
    });
}
