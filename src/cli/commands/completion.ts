import { Argument, type Command } from "commander";
import type { Shell } from "../actions/completion/completion.ts";
import type { CliContext } from "../context.ts";
import { printText } from "../format.ts";
import { examples } from "../help.ts";

const SHELLS = ["bash", "zsh", "fish"] as const satisfies readonly Shell[];

export function addCompletionCommand(program: Command, { io }: CliContext): void {
  program
    .command("completion")
    .description("print a script that completes commands and options in a shell")
    .addArgument(new Argument("<shell>", "the shell that completes").choices(SHELLS))
    .addHelpText(
      "after",
      examples(
        ['eval "$(aitbc completion bash)"', "for this shell; the script says how to keep it"],
        ["aitbc completion zsh > ~/.zfunc/_aitbc", "zsh, in a directory of its fpath"],
        ["aitbc completion fish | source", "fish, for this shell"],
      ),
    )
    .action(async (shell: Shell) => {
      const { completionScript } = await import("../actions/completion/completion.ts");
      await printText(io, completionScript(program, shell));
    });
}
