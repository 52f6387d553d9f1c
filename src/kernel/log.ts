import pino from "pino";
import pretty from "pino-pretty";

/** The subset of pino that the program uses. Messages are fixed phrases; data goes into the fields. */
export type Log = Pick<pino.Logger, "debug" | "info" | "warn" | "error" | "fatal"> & {
  child(fields: Readonly<Record<string, unknown>>): Log;
};

export const LOG_LEVELS = ["debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ["auto", "json", "pretty"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Members that never reach a log, wherever a careless call puts them (one and two levels deep). */
const SECRET_MEMBERS = [
  "key",
  "secret",
  "secret_key",
  "secretKey",
  "password",
  "authorization",
  "api_key",
  "prompt",
  "messages",
  "payload",
  "text",
  "prefix",
];

/** Records kept in memory, some hundred bytes each: enough to see what happened before a fault. */
const RECENT_RECORDS = 1_000;

/** The latest records of a log as they were written: redacted, as JSON lines. */
class RecentRecords {
  readonly #lines: string[] = new Array(RECENT_RECORDS);
  #written = 0;

  write(line: string): void {
    this.#lines[this.#written++ % RECENT_RECORDS] = line;
  }

  /** Newest first. */
  *newestFirst(): Generator<Readonly<Record<string, unknown>>, void, undefined> {
    const oldest = Math.max(0, this.#written - RECENT_RECORDS);
    for (let at = this.#written - 1; at >= oldest; at--) {
      // Each line was written by pino.
      yield JSON.parse(this.#lines[at % RECENT_RECORDS] ?? "{}") as Record<string, unknown>;
    }
  }
}

const recent = new WeakMap<object, RecentRecords>();

/**
 * The latest records of a log that `createLog` made, newest first: those of a level and above, up to `limit`.
 * What the log's own level leaves out is not among them.
 */
export function listRecentRecords(
  log: Log,
  { level = "debug", limit }: { level?: LogLevel | undefined; limit: number },
): Readonly<Record<string, unknown>>[] {
  const lowest = LOG_LEVELS.indexOf(level);
  const records: Readonly<Record<string, unknown>>[] = [];
  for (const record of recent.get(log)?.newestFirst() ?? []) {
    if (records.length >= limit) break;
    // pino writes the label as the level.
    if (LOG_LEVELS.indexOf(record["level"] as LogLevel) >= lowest) records.push(record);
  }
  return records;
}

/** Creates the log on stderr: JSON, or lines for people on a terminal. Nothing in it spawns a thread. */
export function createLog(options: { level: LogLevel; format: LogFormat; terminal: boolean }): Log {
  const human = options.format === "pretty" || (options.format === "auto" && options.terminal);
  const destination = human
    ? pretty({
        colorize: options.terminal && !process.env["NO_COLOR"],
        destination: 2,
        sync: true,
        ignore: "pid,hostname",
      })
    : pino.destination({ fd: 2, sync: true });
  const records = new RecentRecords();
  const log = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
        censor: "[redacted]",
      },
    },
    {
      write(line: string) {
        records.write(line);
        destination.write(line);
      },
    },
  );
  recent.set(log, records);
  return log;
}
