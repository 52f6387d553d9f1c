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
  return pino(
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
    destination,
  );
}
