import type { Environment } from "../config/paths.ts";
import type { SecretBytes } from "../crypto/secret-bytes.ts";

/** Where a command writes to: a stream of the process, or a buffer in a test. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): boolean;
  once(event: "drain", listener: () => void): unknown;
}

export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** What a person did at a prompt: typed a line, pressed Ctrl-C, or ended the input (Ctrl-D). */
export type Typed = { readonly line: string } | "interrupted" | "ended";

/** Lines that a person types and edits on a terminal. */
export interface LineEditor extends Disposable {
  read(prompt: string): Promise<Typed>;
  /** As Ctrl-C does, where the terminal sent it as a signal. */
  interrupt(): void;
}

export interface LineEditorOptions {
  /** Earlier lines, the latest first. */
  readonly history: readonly string[];
  /** What the line can go on with: `options` stand in place of `word`, its end. */
  readonly complete: (
    line: string,
  ) => Promise<{ readonly word: string; readonly options: readonly string[] }>;
}

/** All that a command knows of the process around it. */
export interface Io {
  readonly env: Environment;
  readonly cwd: string;
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  /** Milliseconds since the process started. */
  uptimeMs(): number;
  /** Listens to a signal; the returned function stops listening. */
  onSignal(signal: StopSignal, listener: () => void): () => void;
  /** Opens an editor of lines. Absent where nobody sits at a terminal. */
  readonly openEditor?: (options: LineEditorOptions) => LineEditor;
  /** Asks for a line and does not show what is typed. Absent where nobody sits at a terminal. */
  readonly readSecret?: (prompt: string) => Promise<SecretBytes>;
  /** Ends the process at once. */
  exit(code: number): never;
}

/** Whether an output shows colours and moves its cursor (https://no-color.org, and terminals that cannot). */
export function canPaint(output: Output, env: Environment): boolean {
  return output.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";
}

/** Whether an output is a terminal whose last line can be written over. */
export function canRewrite(output: Output, env: Environment): boolean {
  return output.isTTY === true && env["TERM"] !== "dumb";
}

// The control characters are the very thing that this expression is about.
// biome-ignore lint/suspicious/noControlCharactersInRegex: see above
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Replaces control characters but tab and newline: text from elsewhere must not steer the terminal. */
export function toSafeText(text: string): string {
  return text.replaceAll(CONTROLS, "\uFFFD");
}

/** Writes text from elsewhere: made safe on a terminal, untouched in a pipe. Waits while the reader is slow. */
export async function writeText(output: Output, text: string): Promise<void> {
  const flowing = output.write(output.isTTY ? toSafeText(text) : text);
  if (!flowing) await new Promise<void>((resolve) => output.once("drain", resolve));
}

/**
 * Writes a line for people. What it says may come from elsewhere, so it is made safe before it is painted.
 */
export function writeLine(output: Output, line = "", paint: (text: string) => string = (text) => text): void {
  output.write(`${paint(output.isTTY ? toSafeText(line) : line)}\n`);
}
