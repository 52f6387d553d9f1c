import type { Command } from "commander";
import type { AccountsOptions } from "../actions/wallet/manage.ts";
import type { PaymentOptions } from "../actions/wallet/payment.ts";
import type { NewPasswordOptions, PasswordOptions } from "../actions/wallet/secrets.ts";
import type { SignOptions, VerifyOptions } from "../actions/wallet/sign.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import { type GlobalOptions, wholeNumber } from "../options.ts";
import { addWalletDaemonCommands } from "./wallet-daemon.ts";
import { addWalletKeepCommands } from "./wallet-keep.ts";
import { addWalletMultisigCommands } from "./wallet-multisig.ts";
import { addPasswordOptions, MAX_FD } from "./wallet-options.ts";

const HELP = examples(
  ["aitbc wallet create main", "a new wallet; its password is asked for"],
  ['aitbc wallet sign main --message "hello"', "a signature that anyone can check"],
  ["aitbc wallet request-payment main --amount 12.5", "an address to scan"],
  ["aitbc wallet backup main main-backup.json", "a copy, checked"],
);

/** The options that say what is signed or verified. */
function addMessageOptions(command: Command): Command {
  return command
    .option("--message <text>", "a text, as it is")
    .option("--file <file>", "the bytes of a file, as they are")
    .option("--document <file>", "a JSON object: signed with a tag, so that it can be read as nothing else")
    .option("--realm <hex>", "of a document: where the signature counts, such as a chain's genesis hash");
}

/** Everything about wallets. All but unlock, lock and receipts works without a daemon. */
export function addWalletCommands(program: Command, context: CliContext): void {
  const wallet = program
    .command("wallet")
    .description("keep keys, sign, and check what others signed")
    .addHelpText("after", HELP);
  addManageCommands(wallet, context);
  addSignCommands(wallet, context);
  addWalletKeepCommands(wallet, context);
  addWalletMultisigCommands(wallet, context);
  addWalletDaemonCommands(wallet, context);
}

function addManageCommands(wallet: Command, { io }: CliContext): void {
  addPasswordOptions(wallet.command("create <wallet>"))
    .description("create a wallet with a recovery phrase of its own")
    .addHelpText("after", examples(["aitbc wallet create main --password-file F", "for a script"]))
    .action(async (id: string, _options: object, command: Command) => {
      const { createWallet } = await import("../actions/wallet/manage.ts");
      await createWallet(io, id, command.optsWithGlobals<GlobalOptions & PasswordOptions>());
    });
  wallet
    .command("list")
    .description("list the wallets of this machine")
    .action(async (_options: object, command: Command) => {
      const { listWallets } = await import("../actions/wallet/manage.ts");
      await listWallets(io, command.optsWithGlobals<GlobalOptions>());
    });
  wallet
    .command("info <wallet>")
    .description("show a wallet and its accounts; needs no password")
    .action(async (id: string, _options: object, command: Command) => {
      const { printWallet } = await import("../actions/wallet/manage.ts");
      await printWallet(io, id, command.optsWithGlobals<GlobalOptions>());
    });
  wallet
    .command("address <wallet>")
    .description("print the address of a wallet's first account, alone")
    .action(async (id: string, _options: object, command: Command) => {
      const { printAddress } = await import("../actions/wallet/manage.ts");
      await printAddress(io, id, command.optsWithGlobals<GlobalOptions>());
    });
  addAccountsCommand(wallet, io);
  addPasswordOptions(wallet.command("change-password <wallet>"))
    .description("give a wallet another password; backups keep the one that they were made with")
    .option("--new-password-file <file>", "read the new password from the first line of a file")
    .option("--new-password-fd <n>", "read the new password from a file descriptor", wholeNumber(0, MAX_FD))
    .action(async (id: string, _options: object, command: Command) => {
      const { changePassword } = await import("../actions/wallet/manage.ts");
      const options = command.optsWithGlobals<GlobalOptions & PasswordOptions & NewPasswordOptions>();
      await changePassword(io, id, options);
    });
  addPasswordOptions(wallet.command("delete <wallet>"))
    .description("delete a wallet; without a backup or its phrase the keys are gone for ever")
    .action(async (id: string, _options: object, command: Command) => {
      const { deleteWallet } = await import("../actions/wallet/manage.ts");
      await deleteWallet(io, id, command.optsWithGlobals<GlobalOptions & PasswordOptions>());
    });
}

function addAccountsCommand(wallet: Command, io: CliContext["io"]): void {
  addPasswordOptions(wallet.command("accounts <wallet>"))
    .description("list a wallet's accounts; add, watch and label them")
    .option("--add", "derive the next account from the phrase")
    .option("--watch <address>", "list an address whose key is elsewhere")
    .option("--unwatch <address>", "list it no longer")
    .option("--rename <address>", "give an account the label of --label")
    .option("--label <text>", "label of the account that is added, watched or renamed")
    .addHelpText(
      "after",
      examples(
        ["aitbc wallet accounts main --add --label savings", "a second account"],
        ["aitbc wallet accounts main --watch ait1… --label bank", "an address to know again"],
      ),
    )
    .action(async (id: string, _options: object, command: Command) => {
      const { manageAccounts } = await import("../actions/wallet/manage.ts");
      await manageAccounts(io, id, command.optsWithGlobals<AccountsOptions>());
    });
}

function addSignCommands(wallet: Command, context: CliContext): void {
  const { io } = context;
  addPasswordOptions(addMessageOptions(wallet.command("sign <wallet>")))
    .description("sign a message or a document; printable text is shown first")
    .option("--account <address>", "account that signs; default: the first")
    .option("--raw", "sign bytes that cannot be shown as text")
    .option("--session-file <file>", "sign in an unlock session of the daemon; see aitbc wallet unlock")
    .option("--wallet-url <url>", "the wallet's daemon; default: the one of this machine's configuration")
    .addHelpText(
      "after",
      examples(
        ['aitbc wallet sign main --message "hello"', "a text"],
        ["aitbc wallet sign main --file photo.jpg --raw", "bytes"],
      ),
    )
    .action(async (id: string, _options: object, command: Command) => {
      const { signWithWallet } = await import("../actions/wallet/sign.ts");
      await signWithWallet(io, id, command.optsWithGlobals<SignOptions>());
    });
  addMessageOptions(wallet.command("verify"))
    .description("check a signature, offline; exit code 0 when it holds, 9 when not")
    .requiredOption("--public-key <key>", "of the signer: hex or base64")
    .requiredOption("--signature <signature>", "hex or base64")
    .option("--address <address>", "address that the key must be of")
    .addHelpText(
      "after",
      examples(['aitbc wallet verify --public-key P --message "hello" --signature S', "did P sign this?"]),
    )
    .action(async (_options: object, command: Command) => {
      const { verifySignature } = await import("../actions/wallet/sign.ts");
      context.exitCode = await verifySignature(io, command.optsWithGlobals<VerifyOptions>());
    });
  wallet
    .command("request-payment <wallet>")
    .description("print a payment request as a URI and as a QR code; takes a wallet or an address")
    .option("--amount <ait>", "amount in AIT, with at most six decimals; default: the payer decides")
    .option("--memo <text>", "what the payment is for")
    .option("--no-qr", "print the URI alone")
    .addHelpText("after", examples(["aitbc wallet request-payment main --amount 12.5 --memo rent", ""]))
    .action(async (of: string, _options: object, command: Command) => {
      const { requestPayment } = await import("../actions/wallet/payment.ts");
      await requestPayment(io, of, command.optsWithGlobals<PaymentOptions>());
    });
}
