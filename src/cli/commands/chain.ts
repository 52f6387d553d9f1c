import type { Command } from "commander";
import type { CreateGenesisOptions } from "../actions/chain/create-genesis.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import type { GlobalOptions } from "../options.ts";

const collect = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];

const HELP = examples(
  [
    "aitbc chain genesis create --chain-id mine --validator KEY --account ADDRESS=1000 --file genesis.json",
    "a new chain",
  ],
  ["aitbc chain genesis hash genesis.json", "what all its nodes must agree on"],
  ["aitbc chain genesis show genesis.json", "the file in plain words"],
);

export function addChainCommands(program: Command, context: CliContext): void {
  const chain = program.command("chain").description("make a chain, and look at it");
  const genesis = chain
    .command("genesis")
    .description("the file that a chain begins with: every node of it has the same one")
    .addHelpText("after", HELP);
  addCreateCommand(genesis, context);

  genesis
    .command("show <file>")
    .description("say what a genesis file contains; - reads stdin")
    .action(async (file: string, _options: object, command: Command) => {
      const { showGenesis } = await import("../actions/chain/genesis.ts");
      await showGenesis(context.io, file, command.optsWithGlobals<GlobalOptions>());
    });

  genesis
    .command("hash <file>")
    .description("print the hash of a genesis file, however it is indented; - reads stdin")
    .action(async (file: string, _options: object, command: Command) => {
      const { hashGenesis } = await import("../actions/chain/genesis.ts");
      await hashGenesis(context.io, file, command.optsWithGlobals<GlobalOptions>());
    });

  genesis
    .command("validate <file>")
    .description("check a genesis file, and warn of what is allowed and yet seldom meant; - reads stdin")
    .action(async (file: string, _options: object, command: Command) => {
      const { validateGenesis } = await import("../actions/chain/genesis.ts");
      await validateGenesis(context.io, file, command.optsWithGlobals<GlobalOptions>());
    });
}

function addCreateCommand(genesis: Command, context: CliContext): void {
  genesis
    .command("create")
    .description("write a genesis file, to stdout unless --file says where to")
    .requiredOption("--chain-id <id>", "name of the chain: a–z, 0–9, dot, dash, underscore")
    .option("--validator <key>", "public key of a validator, base64url or hex; repeat for more", collect)
    .option(
      "--account <address=ait>",
      "money at the start, in AIT; address=ait+stake stakes too; repeat for more",
      collect,
    )
    .option("--param <name=value>", "a parameter that is not to have its default; repeat for more", collect)
    .option("--time <time>", "when the chain begins (RFC 3339); default: now")
    .option("--file <file>", "file to write; one that exists is left alone")
    .addHelpText("after", HELP)
    .action(async (_options: object, command: Command) => {
      const { createGenesis } = await import("../actions/chain/create-genesis.ts");
      await createGenesis(context.io, command.optsWithGlobals<CreateGenesisOptions>());
    });
}
