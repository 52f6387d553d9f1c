import { type Command, Option } from "commander";
import { MAX_TOKENS } from "../../wire/limits.ts";
import { decimal, wholeNumber } from "../options.ts";

const MAX_TEMPERATURE = 2;
const MAX_PENALTY = 2;
const MAX_TOP_K = 1000;
const MAX_SEED = 0xffff_ffff;
const THINK_LEVELS = ["low", "medium", "high"];

/** Collects an option that may be given again. */
export const collect = (text: string, earlier: readonly string[] = []): string[] => [...earlier, text];

/** Adds the options that say how a model writes. */
export function addSamplingOptions(command: Command): Command {
  return command
    .option("--model <name>", "model to use; absent: any that a miner has")
    .option("--system <text>", "system message in front of the prompt")
    .option("--max-tokens <n>", "longest answer in tokens", wholeNumber(1, MAX_TOKENS))
    .option("--temperature <t>", "0 is the likeliest answer, 2 the wildest", decimal(0, MAX_TEMPERATURE))
    .option("--top-p <p>", "only the likeliest tokens that are together so likely", decimal(0, 1))
    .option("--top-k <n>", "only so many of the likeliest tokens", wholeNumber(1, MAX_TOP_K))
    .option("--min-p <p>", "only tokens at least so likely as a share of the likeliest", decimal(0, 1))
    .option(
      "--seed <n>",
      "the same seed gives the same answer, where the engine can",
      wholeNumber(0, MAX_SEED),
    )
    .option("--stop <text>", "ends the answer before this text; may be given again", collect)
    .option(
      "--frequency-penalty <x>",
      "against tokens that came often, -2 to 2",
      decimal(-MAX_PENALTY, MAX_PENALTY),
    )
    .option(
      "--presence-penalty <x>",
      "against tokens that came at all, -2 to 2",
      decimal(-MAX_PENALTY, MAX_PENALTY),
    )
    .option("--repeat-penalty <x>", "llama.cpp's own; 1 is none", decimal(0, MAX_PENALTY))
    .addOption(new Option("--think [level]", "let the model think first").choices(THINK_LEVELS));
}
