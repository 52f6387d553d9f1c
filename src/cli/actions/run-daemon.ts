import { type Daemon, startDaemon } from "../../app/daemon.ts";
import type { Config } from "../../config/schema.ts";
import { createLog, type Log } from "../../kernel/log.ts";
import { type Io, type StopSignal, writeLine } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { programName } from "../program-name.ts";
import { reportError } from "../report-error.ts";

/** Exit codes of a process that a signal ended: 128 and the signal's number (POSIX, sh). */
const FORCED_EXIT: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** The log of a daemon: --debug and -v say more than the configuration. */
export function createDaemonLog(io: Io, config: Config, options: GlobalOptions): Log {
  const level = options.debug || options.verbose ? "debug" : config.log.level;
  return createLog({ level, format: config.log.format, terminal: io.stderr.isTTY === true });
}

/** Signals that ask the daemon to stop. The second one ends it at once. */
export interface StopRequest {
  /** Resolves at the first signal. */
  readonly asked: Promise<StopSignal>;
  dispose(): void;
}

export function listenForStop(io: Io, signals: readonly StopSignal[] = ["SIGINT", "SIGTERM"]): StopRequest {
  const asked = Promise.withResolvers<StopSignal>();
  let first = true;
  const stops = signals.map((signal) =>
    io.onSignal(signal, () => {
      if (!first) io.exit(FORCED_EXIT[signal]);
      first = false;
      asked.resolve(signal);
    }),
  );
  return {
    asked: asked.promise,
    dispose() {
      for (const stop of stops) stop();
    },
  };
}

function announce(io: Io, daemon: Daemon): void {
  if (!io.stderr.isTTY) return;
  writeLine(io.stderr, `aitbc runs ${daemon.roles.join(" and ")} at ${daemon.url} (Ctrl-C stops it)`);
  if (daemon.walletUrl !== undefined) {
    writeLine(io.stderr, `  → the wallet listens at ${daemon.walletUrl}: ${programName(io)} wallet list`);
  }
  if (!daemon.roles.includes("coordinator")) return;
  writeLine(
    io.stderr,
    `  → in another terminal: ${programName(io)} client submit --prompt "What is 37 + 45?"`,
  );
}

/** Reads the configuration again at each SIGHUP; one that is wrong changes nothing. */
function listenForReload(io: Io, load: () => Promise<Config>, log: Log): ReloadRequests {
  let daemon: Daemon | undefined;
  let work: Promise<void> = Promise.resolve();
  let waiting = false;
  const reload = async (): Promise<void> => {
    waiting = false;
    try {
      const config = await load();
      daemon?.reload(config);
    } catch (error) {
      log.error({ err: error }, "the configuration cannot be used; nothing changes");
    }
  };
  // Readings wait for each other, and one that has not begun yet serves all signals until then.
  const ask = (): void => {
    if (waiting) return;
    waiting = true;
    if (daemon) work = work.then(reload);
  };
  const dispose = io.onSignal("SIGHUP", ask);
  return {
    dispose,
    started(running) {
      daemon = running;
      if (waiting) work = work.then(reload);
    },
  };
}

interface ReloadRequests {
  /** The daemon runs: from here on it takes over what changes. */
  started(daemon: Daemon): void;
  dispose(): void;
}

/**
 * Runs a daemon until a signal asks it to stop, or until it fails. The first signal lets running work end
 * within `stop_seconds`; the second one ends the process at once. SIGHUP reads the configuration again, by `load`.
 * Returns the exit code.
 */
export async function runDaemon(
  io: Io,
  load: () => Promise<Config>,
  options: GlobalOptions,
): Promise<number> {
  const config = await load();
  const log = createDaemonLog(io, config, options);
  const stop = listenForStop(io);
  const reloads = listenForReload(io, load, log);
  try {
    const daemon = await startDaemon({ config, log });
    reloads.started(daemon);
    announce(io, daemon);
    log.info({ url: daemon.url, roles: daemon.roles }, "listening");
    const ended = await Promise.race([stop.asked, daemon.failed]);
    if (typeof ended === "string") {
      log.info({ signal: ended, stop_seconds: config.stop_seconds }, "stopping");
      await daemon.stop();
      return 0;
    }
    log.fatal({ err: ended, code: ended.code }, "the daemon failed");
    await daemon.stop();
    return reportError(io, ended, options.debug === true);
  } finally {
    stop.dispose();
    reloads.dispose();
  }
}
