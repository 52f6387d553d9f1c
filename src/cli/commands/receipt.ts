import type { Command } from "commander";
import type { VerifyOptions } from "../actions/verify.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";

const collect = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];

const HELP = examples(
  ["aitbc client receipt JOB | aitbc receipt verify -", "are the signatures valid?"],
  ["aitbc receipt verify receipt.json --coordinator-key KEY --miner-key KEY", "and of the right signers?"],
  ["aitbc receipt verify receipt.json --output-file answer.txt", "and for this answer?"],
);

export function addReceiptCommands(program: Command, context: CliContext): void {
  const receipt = program
    .command("receipt")
    .description("check signed receipts, offline")
    .addHelpText("after", HELP);
  receipt
    .command("verify <file>")
    .description(
      "say line by line what a receipt proves and what not; - reads stdin. Exit codes: 0 verified, 9 invalid, 10 signatures valid but whose they are was not shown",
    )
    .option("--coordinator-key <key>", "public key of a coordinator that you trust; can be repeated", collect)
    .option("--miner-key <key>", "public key of a miner that you trust; can be repeated", collect)
    .option(
      "--output-file <file>",
      "the answer, to compare with the receipt's hashes and to count its units again",
    )
    .option("--request-file <file>", "the job's payload as JSON, to compare with prompt_hash")
    .option("--terms-file <file>", "the offer's terms as JSON, to compute the price again")
    .addHelpText("after", HELP)
    .action(async (file: string, _options: object, command: Command) => {
      const { verifyReceiptFile } = await import("../actions/verify.ts");
      context.exitCode = await verifyReceiptFile(context.io, file, command.optsWithGlobals<VerifyOptions>());
    });
}
