import type { Command } from "commander";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { type CommandNode, commandTree } from "./tree.ts";
import { zshScript } from "./zsh.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const satisfies Readonly<
  Record<string, (nodes: readonly CommandNode[]) => string>
>;

export type Shell = keyof typeof SCRIPTS;

/** The script that completes a program's commands in a shell. It says itself how it is installed. */
export function completionScript(program: Command, shell: Shell): string {
  return SCRIPTS[shell](commandTree(program));
}
