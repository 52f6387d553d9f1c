import { canRewrite, type Io, toSafeText } from "./io.ts";

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/** Time of one frame in ms: quick enough to look alive. */
const FRAME_MS = 100;
/** Width of a terminal that does not tell its own. */
const DEFAULT_COLUMNS = 80;
const CLEAR_LINE = "\r\u001b[2K";

/** A line on stderr that says what is being waited for. Does nothing where stderr is no terminal. */
export interface Progress {
  show(text: string): void;
  /** Takes the line away, so that other text can be written; `show` brings it back. */
  clear(): void;
}

const SILENT: Progress = { show() {}, clear() {} };

export function createProgress(io: Pick<Io, "stderr" | "env">): Progress {
  const { stderr } = io;
  if (!canRewrite(stderr, io.env)) return SILENT;
  let timer: NodeJS.Timeout | undefined;
  let text = "";
  let frame = 0;
  const draw = (): void => {
    frame = (frame + 1) % FRAMES.length;
    const width = (stderr.columns || DEFAULT_COLUMNS) - 1;
    stderr.write(`${CLEAR_LINE}${[...`${FRAMES[frame]} ${toSafeText(text)}`].slice(0, width).join("")}`);
  };
  return {
    show(next) {
      text = next;
      timer ??= setInterval(draw, FRAME_MS);
      draw();
    },
    clear() {
      if (timer === undefined) return;
      clearInterval(timer);
      timer = undefined;
      stderr.write(CLEAR_LINE);
    },
  };
}
