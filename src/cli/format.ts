import { type Io, toSafeText } from "./io.ts";

export const OUTPUT_FORMATS = ["table", "json", "yaml"] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

const GAP = "  ";

/** Writes a value as it stands in a table: absent ones as a dash. */
function toCell(value: unknown): string {
  if (value === null || value === undefined || value === "") return "-";
  return toSafeText(
    typeof value === "string" ? value : typeof value === "object" ? JSON.stringify(value) : String(value),
  );
}

/** Lays rows out in columns under their names. */
export function formatTable(columns: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cells = [columns.map((name) => name.toUpperCase()), ...rows.map((row) => row.map(toCell))];
  const widths = columns.map((_name, index) => Math.max(...cells.map((row) => row[index]?.length ?? 0)));
  const lines = cells.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
  return lines.join("\n");
}

/** Lays names and values out, one a line; absent ones are left out. */
export function formatRecord(entries: readonly (readonly [name: string, value: unknown])[]): string {
  const present = entries.filter(([, value]) => value !== null && value !== undefined && value !== "");
  const width = Math.max(0, ...present.map(([name]) => name.length));
  return present.map(([name, value]) => `${name.padEnd(width)}${GAP}${toCell(value)}`).join("\n");
}

/** Prints a result to stdout: JSON on one line, YAML, or the text that `table` makes for people. */
export async function printResult(
  io: Pick<Io, "stdout">,
  format: OutputFormat,
  value: unknown,
  table: () => string,
): Promise<void> {
  await printText(io, await toText(format, value, table));
}

/** Prints text of our own to stdout, whole: the process ends when its command does, however slow the reader is. */
export async function printText({ stdout }: Pick<Io, "stdout">, text: string): Promise<void> {
  const flowing = stdout.write(text);
  if (!flowing) await new Promise<void>((resolve) => stdout.once("drain", resolve));
}

async function toText(format: OutputFormat, value: unknown, table: () => string): Promise<string> {
  if (format === "json") return `${JSON.stringify(value)}\n`;
  return format === "yaml" ? (await import("yaml")).stringify(value) : `${table()}\n`;
}
