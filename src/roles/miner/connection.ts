import { setTimeout as sleep } from "node:timers/promises";
import { CLOSE } from "../../kernel/channel.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AppError, toAppError } from "../../kernel/errors.ts";
import type { RandomBytes } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import { reconnectWaitMs } from "./backoff.ts";
import type { CoordinatorLink } from "./ports.ts";
import { Session, type SessionEnd, type SessionOwner } from "./session.ts";

/**
 * A session that ends sooner, in ms, does not make the waits short again: a coordinator that takes a miner and
 * throws it out at once is not there.
 */
const STABLE_MS = 10_000;

/** What a connection asks of its owner, besides frames. */
export interface ConnectionOwner extends SessionOwner {
  /** The session that was open is over. */
  closed(): void;
}

export interface ConnectionOptions {
  readonly link: CoordinatorLink;
  readonly owner: ConnectionOwner;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** Keeps a session with the coordinator open, again and again, until it is stopped. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #stop = new AbortController();
  #session: Session | undefined;
  #work: Promise<void> | undefined;
  /** What was logged last: a state is logged when it begins, not with each try. */
  #logged = "";

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  start(): void {
    this.#work ??= this.#run();
  }

  /** Closes the session, after all that was sent, and stops trying. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#close();
    await this.#work;
  }

  #close(): void {
    this.#session?.close(CLOSE.goingAway, new AppError("SHUTTING_DOWN", "the miner stops"));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let failures = 0;
    while (!signal.aborted) {
      const startedAt = this.#options.clock.monotonic();
      const { opened, error } = await this.#once();
      if (signal.aborted) return;
      const stable = opened && this.#options.clock.monotonic() - startedAt >= STABLE_MS;
      failures = stable ? 1 : failures + 1;
      this.#logOnce(`lost ${error.code}`, () =>
        this.#options.log.warn(
          { coordinator: this.#options.link.label, code: error.code, detail: error.message, ...error.meta },
          "no session with the coordinator; trying again until there is one",
        ),
      );
      await sleep(reconnectWaitMs(failures, this.#options.random), undefined, { signal }).catch(() => {});
    }
  }

  /** One connection from its beginning to its end. Never rejects. */
  async #once(): Promise<SessionEnd> {
    const { link, owner } = this.#options;
    try {
      const channel = await link.open(this.#stop.signal);
      const session = new Session(channel, {
        register: (challenge) => owner.register(challenge),
        receive: (frame) => owner.receive(frame),
        running: () => owner.running(),
        opened: (registered, line) => {
          this.#logOnce("open", () =>
            this.#options.log.info(
              { coordinator: link.label, miner_id: registered.miner_id },
              "session with the coordinator is open",
            ),
          );
          owner.opened(registered, line);
        },
      });
      this.#session = session;
      if (this.#stop.signal.aborted) this.#close();
      const end = await session.ended;
      if (end.opened) owner.closed();
      return end;
    } catch (error) {
      return { opened: false, error: toAppError(error) };
    } finally {
      this.#session = undefined;
    }
  }

  #logOnce(state: string, log: () => void): void {
    if (this.#logged === state) return;
    this.#logged = state;
    log();
  }
}
