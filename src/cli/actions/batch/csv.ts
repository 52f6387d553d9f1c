import { AppError } from "../../../kernel/errors.ts";

/** A record of a CSV file, and the line on which it begins. */
export interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

/**
 * Reads CSV (RFC 4180): commas, cells in double quotes may hold commas, line ends and doubled quotes. Empty
 * lines are left out. @throws AppError INVALID_ARGUMENT for quotes in the wrong place
 */
export function parseCsv(text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let cells: string[] = [];
  let line = 1;
  let began = 1;
  let at = 0;
  while (at <= text.length) {
    const quoted = text[at] === '"';
    const cell = quoted ? readQuoted(text, at, line) : readPlain(text, at);
    cells.push(cell.value);
    line += cell.lines;
    at = cell.end;
    if (text[at] === ",") {
      at++;
      continue;
    }
    if (cells.length > 1 || cells[0] !== "") records.push({ line: began, cells });
    cells = [];
    if (text[at] === "\r") at++;
    at++;
    began = ++line;
  }
  return records;
}

interface Cell {
  readonly value: string;
  /** Where the cell ends in the text. */
  readonly end: number;
  readonly lines: number;
}

function readPlain(text: string, from: number): Cell {
  let end = from;
  while (end < text.length && text[end] !== "," && text[end] !== "\n" && text[end] !== "\r") end++;
  return { value: text.slice(from, end), end, lines: 0 };
}

function readQuoted(text: string, from: number, line: number): Cell {
  let value = "";
  let at = from + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote === -1) throw new AppError("INVALID_ARGUMENT", `line ${line}: a quote is not closed`);
    value += text.slice(at, quote);
    at = quote + 1;
    if (text[at] !== '"') break;
    value += '"';
    at++;
  }
  if (at < text.length && !",\r\n".includes(text[at] ?? "")) {
    throw new AppError("INVALID_ARGUMENT", `line ${line}: text after a closing quote`);
  }
  return { value, end: at, lines: value.split("\n").length - 1 };
}
