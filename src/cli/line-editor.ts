import { createInterface } from "node:readline";
import { canRewrite, type LineEditor, type LineEditorOptions, type Typed } from "./io.ts";

/** Earlier lines that are kept. */
const HISTORY_LINES = 500;
/** Keys that take the line away: to its end, and all before it (readline's own bindings). */
const TO_END = { ctrl: true, name: "e" };
const CUT = { ctrl: true, name: "u" };

/**
 * Edits lines on the terminal of this process. Only while a line is waited for is the terminal raw: while an answer
 * comes, Ctrl-C is a signal again, and what is typed ahead waits for the next line.
 */
export function openTerminalEditor({ history, complete }: LineEditorOptions): LineEditor {
  const { stdin } = process;
  const output = process.stderr.isTTY ? process.stderr : process.stdout;
  const editor = createInterface({
    input: stdin,
    output,
    terminal: canRewrite(output, process.env),
    history: [...history],
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
    completer: (line: string, done: (error: Error | null, found: [string[], string]) => void) => {
      complete(line).then(
        ({ options, word }) => done(null, [[...options], word]),
        // A list that cannot be fetched completes nothing.
        () => done(null, [[], line]),
      );
    },
  });
  /** Lines of a paste that brought several at once. */
  const lines: string[] = [];
  let ended = false;
  let waiting: ((typed: Typed) => void) | undefined;
  const release = (): void => {
    if (ended) return;
    editor.pause();
    if (editor.terminal) stdin.setRawMode(false);
  };
  const settle = (typed: Typed): void => {
    const resolve = waiting;
    waiting = undefined;
    release();
    resolve?.(typed);
  };
  const interrupt = (): void => {
    lines.length = 0;
    editor.write(null, TO_END);
    editor.write(null, CUT);
    output.write("\n");
    settle("interrupted");
  };
  editor.on("line", (line) => {
    if (waiting) settle({ line });
    else lines.push(line);
  });
  editor.on("SIGINT", interrupt);
  editor.on("close", () => {
    ended = true;
    settle("ended");
  });
  release();
  return {
    read(prompt) {
      const line = lines.shift();
      if (line !== undefined) {
        output.write(`${prompt}${line}\n`);
        return Promise.resolve({ line });
      }
      if (ended) return Promise.resolve("ended");
      return new Promise((resolve) => {
        waiting = resolve;
        if (editor.terminal) stdin.setRawMode(true);
        editor.setPrompt(prompt);
        editor.prompt();
      });
    },
    interrupt,
    [Symbol.dispose]: () => editor.close(),
  };
}
