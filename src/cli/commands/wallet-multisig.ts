import { type Command, Option } from "commander";
import type {
  CombineOptions,
  PolicyOptions,
  ProposeOptions,
  SignMultisigOptions,
  VerifyMultisigOptions,
} from "../actions/wallet/multisig.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import { wholeNumber } from "../options.ts";
import { addPasswordOptions } from "./wallet-options.ts";

/** Most signers of an account (src/crypto/address.ts). */
const MAX_SIGNERS = 16;

const collect = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];

const HELP = examples(
  ["aitbc wallet multisig-create --threshold 2 --signer A --signer B --signer C", "the account's address"],
  ["aitbc wallet multisig-propose --transaction tx.json --realm GENESIS --file p.json", "to pass around"],
  ["aitbc wallet multisig-sign main p.json --file p1.json", "each signer"],
  ["aitbc wallet multisig-combine p1.json p2.json --file signed.json", "once they are enough"],
);

/** Accounts of several keys: propose, sign, combine. Files go from signer to signer; nothing is stored. */
export function addWalletMultisigCommands(wallet: Command, { io }: CliContext): void {
  wallet
    .command("multisig-create")
    .description("print the address of an account that needs several of its keys to sign")
    .requiredOption("--threshold <n>", "signatures that are needed", wholeNumber(1, MAX_SIGNERS))
    .requiredOption("--signer <key>", "public key of a signer, hex or base64; repeated for each", collect)
    .addHelpText("after", HELP)
    .action(async (_options: object, command: Command) => {
      const { createMultisig } = await import("../actions/wallet/multisig.ts");
      await createMultisig(io, command.optsWithGlobals<PolicyOptions>());
    });
  wallet
    .command("multisig-propose")
    .description("write a proposal for the signers to pass around")
    .requiredOption("--realm <hex>", "where it counts: the chain's genesis hash")
    .option("--transaction <file>", "an unsigned transaction, which names its account itself")
    .option("--document <file>", "a JSON object")
    .option("--threshold <n>", "of the account, with --document", wholeNumber(1, MAX_SIGNERS))
    .option("--signer <key>", "of the account, with --document; repeated for each", collect)
    .option("--file <file>", "write it to a new file; default: stdout")
    .action(async (_options: object, command: Command) => {
      const { proposeMultisig } = await import("../actions/wallet/multisig.ts");
      await proposeMultisig(io, command.optsWithGlobals<ProposeOptions>());
    });
  addPasswordOptions(wallet.command("multisig-sign <wallet> <proposal>"))
    .description("add a wallet's signature to a proposal; its content is shown first")
    .option("--account <address>", "account that signs; default: the first that is a signer")
    .option("--file <file>", "write the result to a new file; default: stdout")
    .action(async (id: string, file: string, _options: object, command: Command) => {
      const { signMultisig } = await import("../actions/wallet/multisig.ts");
      await signMultisig(io, id, file, command.optsWithGlobals<SignMultisigOptions>());
    });
  addResultCommands(wallet, io);
}

function addResultCommands(wallet: Command, io: CliContext["io"]): void {
  wallet
    .command("multisig-combine <proposals...>")
    .description("put together what several signers have signed, once they are enough")
    .option("--file <file>", "write the result to a new file; default: stdout")
    .action(async (files: string[], _options: object, command: Command) => {
      const { combineMultisig } = await import("../actions/wallet/multisig.ts");
      await combineMultisig(io, files, command.optsWithGlobals<CombineOptions>());
    });
  wallet
    .command("multisig-verify <file>")
    .description("check a combined document or transaction; fails unless enough signatures hold")
    .requiredOption("--realm <hex>", "where it counts: the chain's genesis hash")
    .addOption(
      new Option("--type <type>", "what the file holds").choices(["document", "tx"]).default("document"),
    )
    .action(async (file: string, _options: object, command: Command) => {
      const { verifyMultisig } = await import("../actions/wallet/multisig.ts");
      await verifyMultisig(io, file, command.optsWithGlobals<VerifyMultisigOptions>());
    });
}
