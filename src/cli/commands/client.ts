import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { printResult } from "../format.ts";
import { examples } from "../help.ts";
import type { GlobalOptions } from "../options.ts";
import { openClient } from "../session.ts";
import { addArtifactCommands } from "./client-artifacts.ts";
import { addBatchCommand } from "./client-batch.ts";
import { addChatCommand } from "./client-chat.ts";
import { addClientListCommands } from "./client-lists.ts";
import { addModelCommands } from "./client-models.ts";
import { addSubmitCommand } from "./client-submit.ts";
import { addTemplateCommands } from "./client-templates.ts";

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
  addSubmitCommand(client, context);
  addChatCommand(client, context);
  addModelCommands(client, context);
  addStatus(client, context);
  addExplain(client, context);
  addResult(client, context);
  addCancel(client, context);
  addReceipt(client, context);
  addClientListCommands(client, context);
  addTemplateCommands(client, context);
  addBatchCommand(client, context);
  addArtifactCommands(client, context);
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

function addExplain(client: Command, { io }: CliContext): void {
  client
    .command("explain <job>")
    .description("why a job went to its miner, or why it waits, and what each miner scored")
    .action(async (jobId: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const explanation = await (await openClient(io, options, "client")).explainJob(jobId);
      const { formatExplanation } = await import("../actions/explain.ts");
      await printResult(io, options.output ?? "table", explanation, () => formatExplanation(explanation));
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
