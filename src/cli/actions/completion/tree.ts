import type { Argument, Command, Option } from "commander";

/** What can stand for a value: one of a list, a path, or anything. */
export type Values =
  | { readonly kind: "choices"; readonly choices: readonly string[] }
  | { readonly kind: "file" | "directory" | "any" };

export interface OptionNode {
  /** Names as they are typed, the long one first. */
  readonly names: readonly string[];
  readonly description: string;
  /** undefined for a switch. */
  readonly value: Values | undefined;
}

export interface ArgumentNode {
  readonly name: string;
  readonly value: Values;
  readonly variadic: boolean;
}

/** A command as completion sees it: its options are its own and those of every command above it. */
export interface CommandNode {
  /** Words after the program's name; empty for the program itself. */
  readonly path: readonly string[];
  readonly description: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly OptionNode[];
  readonly arguments: readonly ArgumentNode[];
}

const HELP: OptionNode = { names: ["--help", "-h"], description: "show help", value: undefined };

/** What a placeholder asks for: commands name files and directories by these words. */
function valuesOf(choices: readonly string[] | undefined, placeholder: string): Values {
  if (choices !== undefined && choices.length > 0) return { kind: "choices", choices };
  if (/^(?:file|path)$|-file$/i.test(placeholder)) return { kind: "file" };
  if (/^(?:directory|dir|folder)$/i.test(placeholder)) return { kind: "directory" };
  return { kind: "any" };
}

function toOption(option: Option): OptionNode {
  const takesValue = option.required || option.optional;
  const placeholder = /[<[]([^\]>.]+)/.exec(option.flags)?.[1] ?? "";
  return {
    names: [option.long, option.short].flatMap((name) => name ?? []),
    description: option.description,
    value: takesValue ? valuesOf(option.argChoices, placeholder) : undefined,
  };
}

function toArgument(argument: Argument): ArgumentNode {
  const name = argument.name();
  return { name, value: valuesOf(argument.argChoices, name), variadic: argument.variadic };
}

/** Every command of a program, the program first, each before its own commands. */
export function commandTree(program: Command): readonly CommandNode[] {
  const walk = (command: Command, path: readonly string[], above: readonly OptionNode[]): CommandNode[] => {
    const options = [...command.options.filter(({ hidden }) => !hidden).map(toOption), ...above];
    const node: CommandNode = {
      path,
      description: command.description(),
      commands: command.commands.map((child) => ({ name: child.name(), description: child.description() })),
      options: [...options, HELP],
      arguments: command.registeredArguments.map(toArgument),
    };
    const children = command.commands.flatMap((child) => walk(child, [...path, child.name()], options));
    return [node, ...children];
  };
  const [root, ...others] = walk(program, [], []);
  if (!root) return others;
  // Commander adds `help` by itself where a program has commands.
  const help = { name: "help", description: "show help for a command" };
  return [{ ...root, commands: [...root.commands, help] }, ...others, helpNode(root)];
}

function helpNode(root: CommandNode): CommandNode {
  const choices = root.commands.map(({ name }) => name);
  return {
    path: ["help"],
    description: "",
    commands: [],
    options: [HELP],
    arguments: [{ name: "command", value: { kind: "choices", choices }, variadic: false }],
  };
}
