import { resolve } from "node:path";
import type { Command } from "commander";
import type { BackupReport } from "../../app/backup.ts";
import type { Config } from "../../config/schema.ts";
import type { CliContext } from "../context.ts";
import { formatRecord, printResult } from "../format.ts";
import { examples } from "../help.ts";
import type { GlobalOptions } from "../options.ts";
import { loadCommandConfig } from "../session.ts";

interface BackupOptions extends GlobalOptions {
  readonly overwrite?: boolean;
}

/** The members of a report by name, for people. */
function formatReport(done: string, report: object): string {
  return `${done}\n${formatRecord(Object.entries(report))}`;
}

/** Copies the database; a file in the way is told together with the option that replaces it. */
async function backUp(config: Config, target: string, overwrite: boolean): Promise<BackupReport> {
  const [{ backup }, { AppError }] = await Promise.all([
    import("../../app/backup.ts"),
    import("../../kernel/errors.ts"),
  ]);
  try {
    return await backup(config, target, { overwrite });
  } catch (error) {
    if (!(error instanceof AppError) || error.meta["target"] === undefined) throw error;
    throw new AppError(error.code, error.message, {
      meta: { ...error.meta, hint: "choose another file, or replace it with --overwrite" },
      cause: error,
    });
  }
}

export function addBackupCommands(program: Command, { io }: CliContext): void {
  program
    .command("backup <file>")
    .description("copy the database while the daemon runs; the copy is checked before it counts")
    .option("--overwrite", "replace the file if it exists")
    .addHelpText(
      "after",
      examples(
        ["aitbc backup /safe/aitbc-monday.db", "a checked copy; the daemon goes on"],
        ["aitbc restore /safe/aitbc-monday.db", "put it back; the daemon must be stopped"],
      ),
    )
    .action(async (file: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<BackupOptions>();
      const { config } = await loadCommandConfig(io, options);
      const target = resolve(io.cwd, file);
      const report = await backUp(config, target, options.overwrite === true);
      await printResult(io, options.output ?? "table", { file: target, ...report }, () =>
        formatReport(`backed up to ${target}, and checked`, report),
      );
    });

  program
    .command("restore <file>")
    .description("put a backup in the place of the database; the daemon must be stopped")
    .addHelpText("after", examples(["aitbc restore /safe/aitbc-monday.db", "the backup is checked first"]))
    .action(async (file: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { config } = await loadCommandConfig(io, options);
      const { restore } = await import("../../app/backup.ts");
      const source = resolve(io.cwd, file);
      const report = await restore(config, source);
      await printResult(io, options.output ?? "table", { file: source, ...report }, () =>
        formatReport(`restored ${source}`, report),
      );
    });
}
