import { quoteWord } from "./quote.ts";
import type { CommandNode, Values } from "./tree.ts";

/** Paths are what the script's `case` selects by: words joined by a space. */
const pathOf = (node: CommandNode): string => node.path.join(" ");

const list = (words: readonly string[]): string => words.map(quoteWord).join(" ");

/** One arm of a `case`; nothing where there is nothing to say. */
function arm(patterns: readonly string[], body: string): string[] {
  return patterns.length === 0 ? [] : [`    ${patterns.map((one) => `"${one}"`).join("|")}) ${body} ;;`];
}

/** A shell command that offers a value. */
function offer(value: Values): string {
  switch (value.kind) {
    case "choices":
      return `_aitbc_words ${list(value.choices)}`;
    case "file":
      return "_aitbc_paths -f";
    case "directory":
      return "_aitbc_paths -d";
    case "any":
      return ":";
  }
}

/** Arms of the paths that share a body, so that each list of options stands in the script once. */
function group(nodes: readonly CommandNode[], bodyOf: (node: CommandNode) => string | undefined): string {
  const byBody = new Map<string, string[]>();
  for (const node of nodes) {
    const body = bodyOf(node);
    if (body !== undefined) byBody.set(body, [...(byBody.get(body) ?? []), pathOf(node)]);
  }
  return [...byBody].flatMap(([body, paths]) => arm(paths, body)).join("\n");
}

const names = (node: CommandNode, wanted: (value: Values | undefined) => boolean): readonly string[] =>
  node.options.filter(({ value }) => wanted(value)).flatMap((option) => option.names);

function optionValues(nodes: readonly CommandNode[]): string {
  const lines = nodes.flatMap((node) =>
    node.options.flatMap(({ names: own, value }) =>
      value === undefined || value.kind === "any"
        ? []
        : arm(
            own.map((name) => `${pathOf(node)}:${name}`),
            offer(value),
          ),
    ),
  );
  return lines.join("\n");
}

function argumentValues(nodes: readonly CommandNode[]): string {
  const lines = nodes.flatMap((node) =>
    node.arguments.flatMap(({ value, variadic }, index) => {
      // Patterns are quoted, but for the star that stands for every further word.
      const position = variadic ? `"${pathOf(node)}:"*` : `"${pathOf(node)}:${index}"`;
      return value.kind === "any" ? [] : [`    ${position}) ${offer(value)} ;;`];
    }),
  );
  return lines.join("\n");
}

/** The completion script of bash (3.2 and later). */
export function bashScript(nodes: readonly CommandNode[]): string {
  const below = nodes.filter(({ path }) => path.length > 0).map(pathOf);
  return `# Completion of aitbc for bash. To install it for yourself:
#   mkdir -p ~/.local/share/bash-completion/completions
#   aitbc completion bash > ~/.local/share/bash-completion/completions/aitbc
# or for this shell alone:
#   eval "$(aitbc completion bash)"

_aitbc_words() {
  local word
  for word in "$@"; do
    [[ $word == "$cur"* ]] && COMPREPLY+=("$word")
  done
}

_aitbc_paths() {
  local word
  compopt -o filenames 2>/dev/null
  while IFS= read -r word; do
    COMPREPLY+=("$word")
  done < <(compgen "$1" -- "$cur")
}

_aitbc_takes_value() {
  case " $(_aitbc_valued "$1") " in
    *" $2 "*) return 0 ;;
  esac
  return 1
}

_aitbc_valued() {
  case "$1" in
${group(nodes, (node) => `echo ${list(names(node, (value) => value !== undefined))}`)}
  esac
}

_aitbc_options() {
  case "$1" in
${group(nodes, (node) => `_aitbc_words ${list(names(node, () => true))}`)}
  esac
}

_aitbc_commands() {
  case "$1" in
${group(nodes, ({ commands }) =>
  commands.length === 0 ? undefined : `_aitbc_words ${list(commands.map(({ name }) => name))}`,
)}
  esac
}

_aitbc_value() {
  case "$1" in
${optionValues(nodes)}
  esac
}

_aitbc_argument() {
  case "$1" in
${argumentValues(nodes)}
  esac
}

_aitbc() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
  local path="" word next index count=0 skip=0 only_arguments=0
  COMPREPLY=()
  # Bash splits --name=value at the sign.
  if [[ $cur == "=" ]]; then
    cur=""
  elif [[ $prev == "=" ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [[ $word == "=" ]]; then
      skip=1
    elif ((skip)); then
      skip=0
    elif ((only_arguments)); then
      ((count++))
    elif [[ $word == "--" ]]; then
      only_arguments=1
    elif [[ $word == -* ]]; then
      _aitbc_takes_value "$path" "$word" && skip=1
    else
      next="\${path:+$path }$word"
      case "$next" in
        ${below.map((path) => `"${path}"`).join("|")}) path=$next ;;
        *) ((count++)) ;;
      esac
    fi
  done
  if ((skip)); then
    _aitbc_value "$path:$prev"
  elif [[ $cur == -* ]] && ((!only_arguments)); then
    _aitbc_options "$path"
  else
    ((count == 0)) && _aitbc_commands "$path"
    _aitbc_argument "$path:$count"
  fi
}

complete -F _aitbc aitbc
`;
}
