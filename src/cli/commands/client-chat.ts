import type { Command } from "commander";
import type { ChatOptions } from "../actions/chat/chat.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import { addSamplingOptions } from "./sampling-options.ts";

export function addChatCommand(client: Command, { io }: CliContext): void {
  const chat = client
    .command("chat")
    .description("talk with a model; /help there lists commands, and Ctrl-C stops an answer");
  addSamplingOptions(chat)
    .option("--continue", "go on with the latest conversation")
    .option("--session <name>", "begin a conversation under this name, or go on with it")
    .addHelpText(
      "after",
      examples(
        ["aitbc client chat", "talk"],
        ["aitbc client chat --continue", "go on where you left; an answer that came meanwhile is shown"],
        ["echo Hello | aitbc client chat", "one question; stdout gets the answer alone"],
        ["echo Why? | aitbc client chat --session plan", "one more question of a conversation"],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const { chat: run } = await import("../actions/chat/chat.ts");
      await run(io, command.optsWithGlobals<ChatOptions>());
    });
}
