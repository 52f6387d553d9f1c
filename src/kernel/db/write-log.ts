import { LogRoom } from "./log-room.ts";
import { CHECKPOINT_PAGES, LOG_BYTES } from "./pragmas.ts";
import type { RawDatabase } from "./sqlite.ts";

/** Commits between two looks at the length of the log. */
const LOOK_EVERY = 16;
/** Commits after which a checkpoint is asked for again that got no further: a reader of an old state was in its way. */
const STUCK_COMMITS = 1_024;
/** Pages that the writer brings into the file itself, at the end of a checkpoint: some milliseconds of work. */
const LAST_PAGES = 1_000;

interface LogState {
  /** Pages in the log. */
  readonly log: number;
  /** Those of them that are in the file already. */
  readonly checkpointed: number;
}

/**
 * The write-ahead log of a busy writer. Bringing it into the file takes a tenth of a second, in which nobody could
 * write: so a connection in another thread does most of it while the writer goes on, and the writer does the rest,
 * after which the log begins anew. All of it between transactions, in the writer's thread.
 */
export class WriteLog implements Disposable {
  readonly #raw: RawDatabase;
  readonly #room: LogRoom;
  readonly #onLong: () => void;
  #commits = 0;
  #nextLook = LOOK_EVERY;
  /** What was in the file when a checkpoint was asked for; undefined while none is under way. */
  #askedAt: number | undefined;

  /** `onLong` asks for a checkpoint beside the writer; `checkpointed` answers it. */
  constructor(raw: RawDatabase, path: string, onLong: () => void) {
    this.#raw = raw;
    this.#room = new LogRoom(`${path}-wal`, LOG_BYTES);
    this.#onLong = onLong;
  }

  committed(): void {
    this.#room.grow();
    if (++this.#commits < this.#nextLook || this.#askedAt !== undefined) return;
    this.#nextLook = this.#commits + LOOK_EVERY;
    this.#look();
  }

  /** The checkpoint that was asked for has ended. */
  checkpointed(): void {
    const before = this.#askedAt ?? 0;
    this.#askedAt = undefined;
    // A body that awaits what it may not keeps its transaction open until it is given up: the next look is soon.
    if (this.#raw.inTransaction) return;
    if (this.#checkpoint("NOOP").checkpointed > before) this.#look();
    else this.#nextLook = this.#commits + STUCK_COMMITS;
  }

  [Symbol.dispose](): void {
    this.#room[Symbol.dispose]();
  }

  #look(): void {
    const { log, checkpointed } = this.#checkpoint("NOOP");
    if (log < CHECKPOINT_PAGES) return;
    if (log - checkpointed <= LAST_PAGES) {
      this.#checkpoint("PASSIVE");
      return;
    }
    this.#askedAt = checkpointed;
    this.#onLong();
  }

  #checkpoint(mode: "NOOP" | "PASSIVE"): LogState {
    // https://sqlite.org/pragma.html#pragma_wal_checkpoint: one row with these columns.
    const [state] = this.#raw.pragma(`wal_checkpoint(${mode})`) as LogState[];
    return state ?? { log: 0, checkpointed: 0 };
  }
}
