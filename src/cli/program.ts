import { Command, Option } from "commander";
import { readBuildInfo } from "../app/build-info.ts";
import { addAdminCommands } from "./commands/admin.ts";
import { addBackupCommands } from "./commands/backup.ts";
import { addChainCommands } from "./commands/chain.ts";
import { addClientCommands } from "./commands/client.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addConfigCommands } from "./commands/config.ts";
import { addDemoCommand } from "./commands/demo.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addKeysCommands } from "./commands/keys.ts";
import { addMinerCommands } from "./commands/miner.ts";
import { addReceiptCommands } from "./commands/receipt.ts";
import { addSelfCommands } from "./commands/self.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addStatusCommand } from "./commands/status.ts";
import { addVersionCommand } from "./commands/version.ts";
import { addWalletCommands } from "./commands/wallet.ts";
import type { CliContext } from "./context.ts";
import { OUTPUT_FORMATS } from "./format.ts";
import { examples } from "./help.ts";

/** Width of help where the output does not tell its own. */
const HELP_COLUMNS = 100;

function addGlobalOptions(program: Command): void {
  program
    .option("--url <url>", "daemon to talk to (AITBC_URL)")
    .option("--api-key <key>", "API key; AITBC_API_KEY is safer, because nobody else sees it")
    .addOption(new Option("--output <format>", "how results are written").choices(OUTPUT_FORMATS))
    .option("--timeout <seconds>", "longest wait for one answer")
    .option("--config-file <file>", "configuration to read (AITBC_CONFIG)")
    .option("--data-dir <directory>", "database, keys and identities (AITBC_DATA_DIR)")
    .option("-v, --verbose", "say more on stderr")
    .option("--debug", "log everything, and show where an error happened");
}

/** Builds the command tree. Actions load what they need when they run, so that help and version start quickly. */
export function createProgram(context: CliContext): Command {
  const { io } = context;
  const program = new Command("aitbc");
  program
    .description("A compute network for AI: run jobs, run a miner, check receipts.")
    .version(readBuildInfo().version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns || HELP_COLUMNS,
      getErrHelpWidth: () => io.stderr.columns || HELP_COLUMNS,
    })
    .showHelpAfterError("  → add --help to see what is possible, with examples")
    .exitOverride()
    .addHelpText(
      "after",
      examples(
        ["aitbc demo", "see everything work, in a few seconds"],
        ["aitbc serve", "run a coordinator and a miner"],
        ['aitbc client submit --prompt "What is 37 + 45?"', "ask; the answer streams in"],
      ),
    );
  addGlobalOptions(program);
  addDemoCommand(program, context);
  addServeCommand(program, context);
  addMinerCommands(program, context);
  addClientCommands(program, context);
  addStatusCommand(program, context);
  addReceiptCommands(program, context);
  addChainCommands(program, context);
  addWalletCommands(program, context);
  addAdminCommands(program, context);
  addKeysCommands(program, context);
  addConfigCommands(program, context);
  addBackupCommands(program, context);
  addDoctorCommand(program, context);
  addSelfCommands(program, context);
  addCompletionCommand(program, context);
  addVersionCommand(program, context);
  return program;
}
