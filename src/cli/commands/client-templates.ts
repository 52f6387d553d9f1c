import { type Command, InvalidArgumentError } from "commander";
import type { TemplateView } from "../../wire/templates.ts";
import type { CliContext } from "../context.ts";
import { formatRecord, formatTable, printResult } from "../format.ts";
import { examples } from "../help.ts";
import type { GlobalOptions } from "../options.ts";
import { openClient } from "../session.ts";

interface CreateOptions extends GlobalOptions {
  readonly prompt: string;
  readonly model?: string;
}
interface SubmitOptions extends GlobalOptions {
  readonly var?: Readonly<Record<string, string>>;
}

/** Collects `--var name=value`, given any number of times. */
function collectVariable(
  text: string,
  earlier: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be name=value.");
  return { ...earlier, [text.slice(0, at)]: text.slice(at + 1) };
}

function formatTemplate(template: TemplateView): string {
  return formatRecord([
    ["name", template.name],
    ["created", template.created_at],
    ["variables", template.variables.join(", ")],
    ["submission", template.submission],
  ]);
}

export function addTemplateCommands(client: Command, { io }: CliContext): void {
  const template = client
    .command("template")
    .description("keep submissions under a name, and submit them with variables")
    .addHelpText(
      "after",
      examples(
        ['aitbc client template create sum --prompt "Summarize: {{text}}"', "keep a prompt"],
        ['aitbc client template submit sum --var text="Once upon a time"', "submit it; prints the job's id"],
      ),
    );

  template
    .command("create <name>")
    .description("keep a prompt; {{name}} in it is filled in at each submission")
    .requiredOption("--prompt <text>", "the prompt")
    .option("--model <model>", "model to use; absent: any that a miner has")
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CreateOptions>();
      const { prompt, model } = options;
      const payload = { type: "inference" as const, prompt, ...(model !== undefined && { model }) };
      const client = await openClient(io, options, "client");
      const created = await client.createTemplate({ name, submission: { payload } });
      await printResult(io, options.output ?? "table", created, () => formatTemplate(created));
    });

  template
    .command("list")
    .description("your templates")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const items = await (await openClient(io, options, "client")).listTemplates();
      await printResult(io, options.output ?? "table", items, () =>
        formatTable(
          ["name", "variables", "created"],
          items.map(({ name, variables, created_at }) => [name, variables.join(", "), created_at]),
        ),
      );
    });

  template
    .command("show <name>")
    .description("one template")
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const found = await (await openClient(io, options, "client")).getTemplate(name);
      await printResult(io, options.output ?? "table", found, () => formatTemplate(found));
    });

  template
    .command("delete <name>")
    .description("forget a template")
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const deleted = await (await openClient(io, options, "client")).deleteTemplate(name);
      await printResult(io, options.output ?? "table", deleted, () => `deleted ${name}`);
    });

  template
    .command("submit <name>")
    .description("submit a job from a template; its id is printed")
    .option("--var <name=value>", "value of a variable; may be given again", collectVariable)
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<SubmitOptions>();
      const view = await (await openClient(io, options, "client")).submitTemplate(name, options.var ?? {});
      await printResult(io, options.output ?? "table", view, () => view.job_id);
    });
}
