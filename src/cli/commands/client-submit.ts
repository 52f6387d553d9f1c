import { type Command, InvalidArgumentError } from "commander";
import { MAX_CHOICES } from "../../domain/job/deltas.ts";
import {
  DEFAULT_PRIORITY,
  DEFAULT_TTL_SECONDS,
  MAX_LOGPROBS,
  MAX_PRIORITY,
  MAX_TOKENS,
  MAX_TTL_SECONDS,
} from "../../wire/limits.ts";
import type { SubmitOptions } from "../actions/submit.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import { wholeNumber } from "../options.ts";
import { addSamplingOptions, collect } from "./sampling-options.ts";

const HELP = examples(
  ['aitbc client submit --prompt "What is 37 + 45?"', "ask; the answer streams in"],
  ["cat letter.txt | aitbc client submit --prompt - > answer.txt", "from stdin, into a file"],
  ['aitbc client submit --prompt "What is this?" --image photo.jpg', "about an image"],
  ['aitbc client submit --prompt "A cat as JSON" --format @cat.schema.json', "an answer of a JSON Schema"],
  [
    'aitbc client submit --prompt "Hello" --stream --output json',
    "read along: one line of JSON for each piece",
  ],
  ['id=$(aitbc client submit --prompt "Hello" --detach)', "do not wait; the job's id is printed"],
);

function answerFormat(text: string): string {
  if (text === "json" || /^@./.test(text)) return text;
  throw new InvalidArgumentError("It must be json, or @FILE with a JSON Schema.");
}

export function addSubmitCommand(client: Command, { io }: CliContext): void {
  const submit = client
    .command("submit")
    .description("submit a prompt and stream the answer; in a pipe, stdout gets the answer alone")
    .requiredOption("--prompt <text>", "what to ask; - reads it from stdin");
  addSamplingOptions(submit)
    .option("--n <n>", "choices of the answer, each under its number", wholeNumber(1, MAX_CHOICES))
    .option(
      "--logprobs [k]",
      "how likely each token was, and the k likeliest in its place",
      wholeNumber(0, MAX_LOGPROBS),
    )
    .option("--format <format>", "an answer in JSON: json, or @FILE with its JSON Schema", answerFormat)
    .option("--image <file>", "an image that the prompt is about; may be given again", collect)
    .option("--tool <file>", "tools that the model may call, as JSON; may be given again", collect)
    .option("--tool-choice <choice>", "auto, none, required, or a tool's name")
    .option("--raw", "continue the prompt as it is, without the model's chat template")
    .option("--context-tokens <n>", "least context that the model must have", wholeNumber(1, MAX_TOKENS))
    .option(
      "--priority <n>",
      `0 is the lowest, ${MAX_PRIORITY} the highest; default ${DEFAULT_PRIORITY}`,
      wholeNumber(0, MAX_PRIORITY),
    )
    .option(
      "--ttl <seconds>",
      `longest wait for a miner; default ${DEFAULT_TTL_SECONDS}`,
      wholeNumber(1, MAX_TTL_SECONDS),
    )
    .option(
      "--deadline <seconds>",
      "refuse the job at once where no miner will begin within this time",
      wholeNumber(1, MAX_TTL_SECONDS),
    )
    .option("--idempotency-key <key>", "the same key again never runs a second job")
    .option("--stream", "write the answer as it comes, in any format; for people the default")
    .option("--no-stream", "write the answer when it is whole")
    .option("--detach", "print the job's id and leave; the job runs on")
    .addHelpText("after", HELP)
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<SubmitOptions>();
      const { submit: run } = await import("../actions/submit.ts");
      await run(io, options);
    });
}
