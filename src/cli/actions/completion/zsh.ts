import { quoteWord } from "./quote.ts";
import type { CommandNode, OptionNode, Values } from "./tree.ts";

const functionOf = (path: readonly string[]): string => ["_aitbc", ...path].join("_").replaceAll("-", "_");

/** Text inside a specification of `_arguments`: brackets and colons mean something there (zshcompsys(1)). */
const plain = (text: string): string => text.replaceAll(/[[\]:\\]/g, (sign) => `\\${sign}`);

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function action(value: Values): string {
  switch (value.kind) {
    case "choices":
      return `(${value.choices.map(quoteWord).join(" ")})`;
    case "file":
      return "_files";
    case "directory":
      return "_files -/";
    case "any":
      return " ";
  }
}

function optionSpec({ names, description, value }: OptionNode): string {
  const [first = "", ...others] = names;
  const text = `[${plain(description)}]`;
  const tail = value === undefined ? "" : `:value:${action(value)}`;
  if (others.length === 0) return quoted(`${first}${value?.kind === undefined ? "" : "="}${text}${tail}`);
  const exclusive = quoted(`(${names.join(" ")})`);
  const forms = names.map((name) => (value !== undefined && name.startsWith("--") ? `${name}=` : name));
  return `${exclusive}{${forms.join(",")}}${quoted(`${text}${tail}`)}`;
}

function leaf(node: CommandNode): readonly string[] {
  return node.arguments.map(({ name, value, variadic }, index) =>
    quoted(`${variadic ? "*" : index + 1}:${plain(name)}:${action(value)}`),
  );
}

function writeFunction(node: CommandNode): string {
  const options = node.options.map(optionSpec);
  const head = (specs: readonly string[]): string =>
    ["  _arguments -S -s -C", ...specs.map((spec) => `    ${spec}`)].join(" \\\n");
  if (node.commands.length === 0) {
    return `${functionOf(node.path)}() {\n${head([...options, ...leaf(node)])}\n}`;
  }
  const names = node.commands.map(
    ({ name, description }) => `      ${quoted(`${name.replaceAll(":", "\\:")}:${description}`)}`,
  );
  const arms = node.commands.map(({ name }) => `        ${name}) ${functionOf([...node.path, name])} ;;`);
  return `${functionOf(node.path)}() {
  local curcontext="$curcontext" state line
  local -a commands
${head([...options, "'1:command:->command'", "'*::argument:->argument'"])}
  case $state in
    command)
      commands=(
${names.join("\n")}
      )
      _describe -t commands command commands
      ;;
    argument)
      case $line[1] in
${arms.join("\n")}
      esac
      ;;
  esac
}`;
}

/** The completion script of zsh (5.0 and later). */
export function zshScript(nodes: readonly CommandNode[]): string {
  return `#compdef aitbc
# Completion of aitbc for zsh. To install it, put it into a directory of your $fpath:
#   mkdir -p ~/.zfunc && aitbc completion zsh > ~/.zfunc/_aitbc
# and have in ~/.zshrc, before compinit runs:
#   fpath=(~/.zfunc $fpath)
#   autoload -Uz compinit && compinit
# or for this shell alone, after compinit:
#   eval "$(aitbc completion zsh)"

${nodes.map(writeFunction).join("\n\n")}

if [[ $funcstack[1] == _aitbc ]]; then
  _aitbc "$@"
else
  compdef _aitbc aitbc
fi
`;
}
