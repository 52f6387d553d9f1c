import type { Command } from "commander";
import { MAX_DIMENSIONS } from "../../wire/limits.ts";
import type { EmbedOptions } from "../actions/embed.ts";
import type { CliContext } from "../context.ts";
import { printResult } from "../format.ts";
import { examples } from "../help.ts";
import { type GlobalOptions, wholeNumber } from "../options.ts";
import { openClient } from "../session.ts";
import { collect } from "./sampling-options.ts";

export function addModelCommands(client: Command, { io }: CliContext): void {
  client
    .command("models")
    .description("what the network offers: models, what they can do, how fast, at what price")
    .addHelpText(
      "after",
      examples(
        ["aitbc client models", "a table"],
        ["aitbc client models --output json | jq -r '.[].id'", "their names"],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const models = await (await openClient(io, options, "client")).listModels();
      const { formatModels } = await import("../actions/models.ts");
      await printResult(io, options.output ?? "table", models, () => formatModels(models));
    });

  client
    .command("embed [text...]")
    .description("turn texts into vectors; - reads one from stdin")
    .option("--file <file>", "a text in a file; may be given again", collect)
    .option("--model <name>", "model to use; absent: any that embeds")
    .option(
      "--dimensions <n>",
      "length of the vectors, where the model leaves the choice",
      wholeNumber(1, MAX_DIMENSIONS),
    )
    .addHelpText(
      "after",
      examples(
        ['aitbc client embed "a fox" "a dog"', "how long the vectors are"],
        ["aitbc client embed --file letter.txt --output json", "the vectors themselves"],
      ),
    )
    .action(async (texts: string[], _options: object, command: Command) => {
      const { embed } = await import("../actions/embed.ts");
      await embed(io, command.optsWithGlobals<EmbedOptions>(), texts);
    });
}
