import { type Command, Option } from "commander";
import type { DemoOptions } from "../actions/demo.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";

export function addDemoCommand(program: Command, context: CliContext): void {
  program
    .command("demo")
    .description("see everything work: coordinator, miner, one prompt, a receipt that is checked")
    .addOption(new Option("--prompt <text>", "what to ask").default("What is 37 + 45?"))
    .option("--stay", "keep it running, to try more")
    .option("--json", "end with one line of JSON on stdout")
    .addHelpText(
      "after",
      examples(
        ["aitbc demo", "a few seconds; leaves nothing behind"],
        ["aitbc demo --stay", "and keeps it up until Ctrl-C"],
        ["aitbc demo --json", "for scripts"],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const { runDemo } = await import("../actions/demo.ts");
      context.exitCode = await runDemo(context.io, command.optsWithGlobals<DemoOptions>());
    });
}
