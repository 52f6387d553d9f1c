import type { Command } from "commander";
import {
  DEFAULT_PRIORITY,
  DEFAULT_TTL_SECONDS,
  MAX_PRIORITY,
  MAX_TOKENS,
  MAX_TTL_SECONDS,
} from "../../wire/limits.ts";
import type { SubmitOptions } from "../actions/submit.ts";
import type { CliContext } from "../context.ts";
import { printResult } from "../format.ts";
import { examples } from "../help.ts";
import { decimal, type GlobalOptions, wholeNumber } from "../options.ts";
import { openClient } from "../session.ts";

import { addBatchCommand } from "./client-batch.ts";
import { addClientListCommands } from "./client-lists.ts";
import { addTemplateCommands } from "./client-templates.ts";

const MAX_TEMPERATURE = 2;
const MAX_SEED = 0xffff_ffff;

const HELP = examples(
  ['aitbc client submit --prompt "What is 37 + 45?"', "ask; the answer streams in"],
  ["cat letter.txt | aitbc client submit --prompt - > answer.txt", "from stdin, into a file"],
  ['id=$(aitbc client submit --prompt "Hello" --detach)', "do not wait; the job's id is printed"],
  ["aitbc client result $id --wait", "wait for it and print the answer"],
  ["aitbc client receipt $id > receipt.json", "the signed receipt"],
);

interface WaitOptions extends GlobalOptions {
  readonly wait?: boolean;
}
interface AllOptions extends GlobalOptions {
  readonly all?: boolean;
}

export function addClientCommands(program: Command, context: CliContext): void {
  const client = program
    .command("client")
    .description("submit jobs and follow them")
    .addHelpText("after", HELP);
  addSubmit(client, context);
  addStatus(client, context);
  addResult(client, context);
  addCancel(client, context);
  addReceipt(client, context);
  addClientListCommands(client, context);
  addTemplateCommands(client, context);
  addBatchCommand(client, context);
}

function addSubmit(client: Command, { io }: CliContext): void {
  client
    .command("submit")
    .description("submit a prompt and stream the answer; in a pipe, stdout gets the answer alone")
    .requiredOption("--prompt <text>", "what to ask; - reads it from stdin")
    .option("--model <name>", "model to use; absent: any that a miner has")
    .option("--system <text>", "system message in front of the prompt")
    .option("--max-tokens <n>", "longest answer in tokens", wholeNumber(1, MAX_TOKENS))
    .option("--temperature <t>", "0 is the likeliest answer, 2 the wildest", decimal(0, MAX_TEMPERATURE))
    .option(
      "--seed <n>",
      "the same seed gives the same answer, where the engine can",
      wholeNumber(0, MAX_SEED),
    )
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
    .option("--idempotency-key <key>", "the same key again never runs a second job")
    .option("--detach", "print the job's id and leave; the job runs on")
    .addHelpText("after", HELP)
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<SubmitOptions>();
      const { submit } = await import("../actions/submit.ts");
      await submit(io, options);
    });
}

function addStatus(client: Command, { io }: CliContext): void {
  client
    .command("status <job>")
    .description("where a job stands, and why it waits")
    .action(async (jobId: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const view = await (await openClient(io, options, "client")).getJob(jobId);
      const { formatJob } = await import("../actions/job-view.ts");
      await printResult(io, options.output ?? "table", view, () => formatJob(view));
    });
}

function addResult(client: Command, { io }: CliContext): void {
  client
    .command("result <job>")
    .description("print the answer of a job that has ended")
    .option("--wait", "wait for its end first")
    .action(async (jobId: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<WaitOptions>();
      const { printJobResult } = await import("../actions/result.ts");
      await printJobResult(io, options, jobId);
    });
}

function addCancel(client: Command, { io }: CliContext): void {
  client
    .command("cancel <job>")
    .description("cancel a job; what was delivered stays, is charged, and has its receipt")
    .action(async (jobId: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const view = await (await openClient(io, options, "client")).cancelJob(jobId);
      const { formatJob } = await import("../actions/job-view.ts");
      await printResult(io, options.output ?? "table", view, () => formatJob(view));
    });
}

function addReceipt(client: Command, { io }: CliContext): void {
  client
    .command("receipt <job>")
    .description("print the signed receipt of a job as JSON")
    .option("--all", "all receipts of a job that several miners ran, oldest first, one a line")
    .action(async (jobId: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<AllOptions>();
      const { printReceipts } = await import("../actions/receipts.ts");
      await printReceipts(io, options, jobId);
    });
}
