import type { Command } from "commander";
import { readBuildInfo } from "../../app/build-info.ts";
import type { CliContext } from "../context.ts";
import { formatRecord, printResult } from "../format.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import type { GlobalOptions } from "../options.ts";

interface VersionOptions extends GlobalOptions {
  readonly licenses?: boolean;
}

/** Separates two licences for people. */
const RULE = "-".repeat(80);

async function printLicenses(io: Io, { output = "table" }: GlobalOptions): Promise<void> {
  const { readThirdPartyPackages } = await import("../../app/licenses.ts");
  const packages = readThirdPartyPackages();
  await printResult(io, output, packages, () =>
    packages
      .map(
        ({ name, version, license, text }) => `${RULE}\n${name} ${version} (${license})\n\n${text.trim()}\n`,
      )
      .join("\n"),
  );
}

export function addVersionCommand(program: Command, { io }: CliContext): void {
  program
    .command("version")
    .description("print the version, and what it runs on")
    .option("--licenses", "print what this file contains of other people's work, with every licence")
    .addHelpText(
      "after",
      examples(
        ["aitbc version --output json", "for a script"],
        ["aitbc version --licenses", "notices of all packages inside the single file"],
      ),
    )
    .action((_options: object, command: Command) => {
      const options = command.optsWithGlobals<VersionOptions>();
      if (options.licenses) return printLicenses(io, options);
      const { output = "table" } = options;
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
