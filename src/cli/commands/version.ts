import type { Command } from "commander";
import { readBuildInfo } from "../../app/build-info.ts";
import type { CliContext } from "../context.ts";
import { formatRecord, printResult } from "../format.ts";
import type { GlobalOptions } from "../options.ts";

export function addVersionCommand(program: Command, { io }: CliContext): void {
  program
    .command("version")
    .description("print the version, and what it runs on")
    .action((_options: object, command: Command) => {
      const { output = "table" } = command.optsWithGlobals<GlobalOptions>();
      const { version, commit } = readBuildInfo();
      const value = {
        version,
        commit,
        node: process.version,
        platform: `${process.platform}-${process.arch}`,
      };
      return printResult(io, output, value, () =>
        formatRecord([
          ["aitbc", value.version],
          ["commit", value.commit],
          ["node", value.node],
          ["platform", value.platform],
        ]),
      );
    });
}
