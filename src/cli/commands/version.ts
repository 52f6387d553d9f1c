import type { Command } from "commander";
import { VERSION } from "../../kernel/version.ts";
import type { CliContext } from "../context.ts";
import { formatRecord, printResult } from "../format.ts";
import type { GlobalOptions } from "../options.ts";

export function addVersionCommand(program: Command, { io }: CliContext): void {
  program
    .command("version")
    .description("print the version, and what it runs on")
    .action((_options: object, command: Command) => {
      const { output = "table" } = command.optsWithGlobals<GlobalOptions>();
      const value = {
        version: VERSION,
        node: process.version,
        platform: `${process.platform}-${process.arch}`,
      };
      return printResult(io, output, value, () =>
        formatRecord([
          ["aitbc", value.version],
          ["node", value.node],
          ["platform", value.platform],
        ]),
      );
    });
}
