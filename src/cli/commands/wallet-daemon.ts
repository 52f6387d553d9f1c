import { type Command, Option } from "commander";
import { MAX_PAGE } from "../../wire/limits.ts";
import { SESSION_OPERATIONS } from "../../wire/wallet/sessions.ts";
import type { DaemonOptions, ReceiptsOptions, UnlockOptions } from "../actions/wallet/daemon.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import { wholeNumber } from "../options.ts";
import { addPasswordOptions } from "./wallet-options.ts";

/** Longest session that can be asked for, in seconds; the daemon's own limits are below it. */
const MAX_SESSION_SECONDS = 86_400;

const addWalletUrl = (command: Command): Command =>
  command.option(
    "--wallet-url <url>",
    "the wallet's daemon; default: the one of this machine's configuration",
  );

/** What needs the wallet's daemon: `aitbc serve --roles wallet`. */
export function addWalletDaemonCommands(wallet: Command, { io }: CliContext): void {
  addPasswordOptions(addWalletUrl(wallet.command("unlock <wallet>")))
    .description("open an unlock session at the daemon; its token goes to stdout")
    .addOption(
      new Option("--operation <name...>", "what it may do; default: all").choices(SESSION_OPERATIONS),
    )
    .option("--max-amount <ait>", "what its documents may move together; default: nothing")
    .option(
      "--idle-seconds <n>",
      "end it when it is not used for so long",
      wholeNumber(1, MAX_SESSION_SECONDS),
    )
    .option("--max-seconds <n>", "end it after so long", wholeNumber(1, MAX_SESSION_SECONDS))
    .option("--session-file <file>", "write the token to a new file instead")
    .addHelpText(
      "after",
      examples(
        ["aitbc wallet unlock main --session-file s", "once"],
        ["aitbc wallet sign main --session-file s --message hello", "then, without the password"],
        ["aitbc wallet lock main", "at the end"],
      ),
    )
    .action(async (id: string, _options: object, command: Command) => {
      const { unlockWallet } = await import("../actions/wallet/daemon.ts");
      await unlockWallet(io, id, command.optsWithGlobals<UnlockOptions>());
    });
  addWalletUrl(wallet.command("lock [wallet]"))
    .description("end all sessions of a wallet, or of all wallets: its keys leave the memory")
    .action(async (id: string | undefined, _options: object, command: Command) => {
      const { lockWallet } = await import("../actions/wallet/daemon.ts");
      await lockWallet(io, id, command.optsWithGlobals<DaemonOptions>());
    });
  addWalletUrl(wallet.command("receipts [job]"))
    .description("what the receipts of a job are worth, or what is known of every job's")
    .option("--history", "all receipts of the job; default: the last one")
    .option("--failed", "only jobs with something wrong")
    .option("--limit <n>", "most entries", wholeNumber(1, MAX_PAGE))
    .action(async (job: string | undefined, _options: object, command: Command) => {
      const { printReceiptStatus } = await import("../actions/wallet/daemon.ts");
      await printReceiptStatus(io, job, command.optsWithGlobals<ReceiptsOptions>());
    });
}
