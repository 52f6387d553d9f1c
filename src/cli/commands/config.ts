import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { formatTable, printResult } from "../format.ts";
import { examples } from "../help.ts";
import type { GlobalOptions } from "../options.ts";
import { loadCommandConfig } from "../session.ts";

export function addConfigCommands(program: Command, { io }: CliContext): void {
  const config = program
    .command("config")
    .description("show and check the configuration")
    .addHelpText(
      "after",
      examples(
        ["aitbc config explain", "every setting, its value, and where that comes from"],
        ["AITBC_HTTP__PORT=9000 aitbc config explain", "a variable sets http.port"],
        ["aitbc config validate --config-file new.json", "check a file before it is used"],
        ["aitbc config path", "where the file is looked for"],
      ),
    );

  config
    .command("explain")
    .description("list every setting with its value and origin; secrets are masked")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const loaded = await loadCommandConfig(io, options);
      const { explainConfig } = await import("../../config/explain.ts");
      const settings = explainConfig(loaded);
      await printResult(io, options.output ?? "table", settings, () => {
        const rows = settings.map(({ key, value, origin, description }) => [key, value, origin, description]);
        return formatTable(["setting", "value", "from", "meaning"], rows);
      });
    });

  config
    .command("validate")
    .description("check file, environment and flags; says everything that is wrong")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { file } = await loadCommandConfig(io, options);
      await printResult(
        io,
        options.output ?? "table",
        { valid: true, file: file.path, found: file.found },
        () =>
          file.found ? `valid: ${file.path}` : `valid: defaults and environment (there is no ${file.path})`,
      );
    });

  config
    .command("path")
    .description("print where the configuration file is looked for")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { configFilePath } = await import("../../config/load.ts");
      const file = options.configFile === undefined ? {} : { file: options.configFile };
      const { path } = configFilePath({ env: io.env, cwd: io.cwd, flags: [], ...file });
      await printResult(io, options.output ?? "table", { path }, () => path);
    });
}
