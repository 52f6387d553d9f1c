import type { Command } from "commander";
import { Option } from "commander";
import { BATCH_ENDPOINTS } from "../../wire/openai/batches.ts";
import type { ResultsOptions, StatusOptions, SubmitOptions } from "../actions/batch/api.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import type { GlobalOptions } from "../options.ts";

/** The commands of batches that the daemon itself runs. */
export function addBatchApiCommands(client: Command, context: CliContext): void {
  const { io } = context;
  const batch = client
    .command("batch")
    .description("batches that the daemon runs on idle miners, within a day")
    .addHelpText(
      "after",
      examples(
        ["id=$(aitbc client batch submit calls.jsonl)", "lines of custom_id, method, url and body"],
        ["aitbc client batch status $id --wait", "wait for its end, from wherever it stands"],
        ["aitbc client batch results $id -o answers.jsonl", "its answers, in the order of the lines"],
      ),
    );

  batch
    .command("submit <file>")
    .description("upload a file of calls and run them; the batch's id is printed")
    .addOption(
      new Option("--endpoint <path>", "what the calls are for; absent: what the first line names").choices(
        BATCH_ENDPOINTS,
      ),
    )
    .option("--wait", "wait for its end")
    .action(async (file: string, _options: object, command: Command) => {
      const { submitToDaemon } = await import("../actions/batch/api.ts");
      context.exitCode = await submitToDaemon(io, command.optsWithGlobals<SubmitOptions>(), file);
    });

  batch
    .command("list")
    .description("your batches, newest first")
    .action(async (_options: object, command: Command) => {
      const { listBatches } = await import("../actions/batch/api.ts");
      await listBatches(io, command.optsWithGlobals<GlobalOptions>());
    });

  batch
    .command("status <batch>")
    .description("where a batch stands")
    .option("--wait", "wait for its end")
    .action(async (id: string, _options: object, command: Command) => {
      const { showBatch } = await import("../actions/batch/api.ts");
      context.exitCode = await showBatch(io, command.optsWithGlobals<StatusOptions>(), id);
    });

  batch
    .command("cancel <batch>")
    .description("stop a batch; what has ended is kept")
    .action(async (id: string, _options: object, command: Command) => {
      const { cancelBatch } = await import("../actions/batch/api.ts");
      await cancelBatch(io, command.optsWithGlobals<GlobalOptions>(), id);
    });

  batch
    .command("results <batch>")
    .description("the answers of a batch that has ended, as lines of JSON")
    .option("-o, --file <file>", "where to; absent: stdout")
    .option("--errors", "the lines that have no answer, and why")
    .action(async (id: string, _options: object, command: Command) => {
      const { printResults } = await import("../actions/batch/api.ts");
      await printResults(io, command.optsWithGlobals<ResultsOptions>(), id);
    });
}
