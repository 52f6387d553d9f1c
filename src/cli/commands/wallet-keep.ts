import type { Command } from "commander";
import type { ExportOptions, ImportOptions, RestoreOptions } from "../actions/wallet/keep.ts";
import type { PasswordOptions } from "../actions/wallet/secrets.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import type { GlobalOptions } from "../options.ts";
import { addPasswordOptions } from "./wallet-options.ts";

/** Backup and restore, export and import. */
export function addWalletKeepCommands(wallet: Command, { io }: CliContext): void {
  addPasswordOptions(wallet.command("backup <wallet> <file>"))
    .description("copy a wallet's encrypted file, and decrypt the copy before saying that it is there")
    .action(async (id: string, file: string, _options: object, command: Command) => {
      const { backUpWallet } = await import("../actions/wallet/keep.ts");
      await backUpWallet(io, id, file, command.optsWithGlobals<GlobalOptions & PasswordOptions>());
    });
  addPasswordOptions(wallet.command("restore <file>"))
    .description("take a backup in after decrypting it; a wallet that is there is never replaced")
    .option("--as <wallet>", "id of the restored wallet; default: the one that it had")
    .action(async (file: string, _options: object, command: Command) => {
      const { restoreWallet } = await import("../actions/wallet/keep.ts");
      await restoreWallet(io, file, command.optsWithGlobals<RestoreOptions>());
    });
  addPasswordOptions(wallet.command("import <wallet>"))
    .description("create a wallet from a recovery phrase, a raw key or a keystore file")
    .option("--phrase-file <file>", "12 to 24 words; default: they are asked for")
    .option("--key-file <file>", "a secret key: 32 bytes, as they are or as hex or base64")
    .option("--keystore <file>", "a keystore file, with its own password")
    .addHelpText(
      "after",
      examples(
        ["aitbc wallet import main", "from a phrase, typed in"],
        ["aitbc wallet import old --keystore old.json", "from another machine's file"],
      ),
    )
    .action(async (id: string, _options: object, command: Command) => {
      const { importWallet } = await import("../actions/wallet/keep.ts");
      await importWallet(io, id, command.optsWithGlobals<ImportOptions>());
    });
  addPasswordOptions(wallet.command("export <wallet>"))
    .description("print what a wallet can be made from again: whoever sees it owns the wallet")
    .option("--phrase", "the recovery phrase")
    .option("--key", "the secret key of an account, as hex")
    .option("--account <address>", "account of --key; default: the first")
    .option("--keystore", "the encrypted file, which is safe to keep elsewhere")
    .option("--file <file>", "write it to a new file instead")
    .addHelpText("after", examples(["aitbc wallet export main --phrase", "to write on paper"]))
    .action(async (id: string, _options: object, command: Command) => {
      const { exportWallet } = await import("../actions/wallet/keep.ts");
      await exportWallet(io, id, command.optsWithGlobals<ExportOptions>());
    });
}
