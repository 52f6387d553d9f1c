import type { CommandNode, Values } from "./tree.ts";

/** A word for fish, taken literally. */
const quoted = (text: string): string => `'${text.replaceAll(/['\\]/g, (sign) => `\\${sign}`)}'`;

/** What stands for a value that is not a file: words, a command that lists them, or undefined for anything. */
function wordsOf(value: Values): string | undefined {
  if (value.kind === "choices") return quoted(value.choices.join(" "));
  return value.kind === "directory" ? "'(__fish_complete_directories)'" : undefined;
}

/** Flags of `complete` for an option's value: `-x` needs one, and no file. */
function valueFlags(value: Values): string {
  const words = wordsOf(value);
  if (words !== undefined) return `-xa ${words}`;
  return value.kind === "file" ? "-rF" : "-x";
}

const condition = (node: CommandNode): string => `-n ${quoted(`__aitbc_at ${quoted(node.path.join(" "))}`)}`;

function optionLines(node: CommandNode): readonly string[] {
  return node.options.map(({ names, description, value }) => {
    const flags = names.map((name) =>
      name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
    );
    const tail = value === undefined ? [] : [valueFlags(value)];
    return ["complete -c aitbc", condition(node), ...flags, ...tail, `-d ${quoted(description)}`].join(" ");
  });
}

function commandLines(node: CommandNode): readonly string[] {
  return node.commands.map(
    ({ name, description }) =>
      `complete -c aitbc ${condition(node)} -a ${quoted(name)} -d ${quoted(description)}`,
  );
}

function argumentLines(node: CommandNode): readonly string[] {
  return node.arguments.flatMap(({ value }) => {
    const words = wordsOf(value);
    if (words === undefined && value.kind !== "file") return [];
    return [`complete -c aitbc ${condition(node)} ${words === undefined ? "-F" : `-a ${words}`}`];
  });
}

/** The completion script of fish (3.0 and later). */
export function fishScript(nodes: readonly CommandNode[]): string {
  const paths = nodes.filter(({ path }) => path.length > 0).map(({ path }) => quoted(path.join(" ")));
  const valued = new Set(
    nodes.flatMap(({ options }) => options.filter(({ value }) => value).flatMap(({ names }) => names)),
  );
  return `# Completion of aitbc for fish. To install it:
#   aitbc completion fish > ~/.config/fish/completions/aitbc.fish
# or for this shell alone:
#   aitbc completion fish | source

# Prints the command that the line has named so far, such as "client submit".
function __aitbc_path
    set -l path ''
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip -eq 1
            set skip 0
            continue
        end
        switch $word
            case ${[...valued].map(quoted).join(" ")}
                set skip 1
                continue
            case '-*'
                continue
        end
        set -l next (string trim -- "$path $word")
        contains -- $next ${paths.join(" ")}
        and set path $next
    end
    echo $path
end

function __aitbc_at
    test (__aitbc_path) = "$argv[1]"
end

complete -c aitbc -f
${nodes.flatMap((node) => [...commandLines(node), ...optionLines(node), ...argumentLines(node)]).join("\n")}
`;
}
