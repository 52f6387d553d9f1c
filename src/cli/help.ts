/** Help text with examples: the second part of each says what the line does. */
export function examples(...lines: readonly (readonly [command: string, comment: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  const text = lines.map(([command, comment]) => `  ${command.padEnd(width)}  # ${comment}`);
  return `\nExamples:\n${text.join("\n")}`;
}
