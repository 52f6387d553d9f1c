/** Loaded into the soak's daemon before anything else: says what the process holds when it is asked over IPC. */
import { subscribe } from "node:diagnostics_channel";
import { setImmediate as turn } from "node:timers/promises";
import { Dispatcher } from "../../src/roles/coordinator/dispatcher.ts";
import { Leases } from "../../src/roles/coordinator/leases.ts";
import type { Holdings } from "./messages.ts";

const BYTES_PER_MB = 1024 * 1024;
/** References that are kept before those to objects that are gone are dropped. */
const PRUNE_AT = 10_000;

/** Objects that came to be, without keeping them alive. */
class Tracked {
  #refs: WeakRef<object>[] = [];
  #pruneAt = PRUNE_AT;

  add(object: object): void {
    if (this.#refs.push(new WeakRef(object)) < this.#pruneAt) return;
    this.#pruneAt = 2 * Math.max(PRUNE_AT, this.count());
  }

  /** How many of them live; `counts` leaves some out. */
  count(counts: (object: object) => boolean = () => true): number {
    this.#refs = this.#refs.filter((ref) => ref.deref() !== undefined);
    return this.#refs.filter((ref) => counts(ref.deref() ?? {})).length;
  }
}

const leases = new Tracked();
const sessions = new Tracked();
const sockets = new Tracked();
const answers = new Tracked();
const timers = new Tracked();

const addLease = Leases.prototype.add;
Leases.prototype.add = function (lease) {
  leases.add(lease);
  addLease.call(this, lease);
};
const addSession = Dispatcher.prototype.add;
Dispatcher.prototype.add = function (session) {
  sessions.add(session);
  return addSession.call(this, session);
};
subscribe("net.server.socket", (message) => sockets.add((message as { socket: object }).socket));
subscribe("http.server.request.start", (message) => answers.add((message as { response: object }).response));

/** A function as it was, whose timers are tracked. */
function tracking<Args extends unknown[]>(original: (...args: Args) => NodeJS.Timeout): never {
  const tracked = (...args: Args): NodeJS.Timeout => {
    const timer = original(...args);
    timers.add(timer);
    return timer;
  };
  // What hangs on the original, such as its promise form, hangs on this one; its type has overloads.
  return Object.assign(tracked, original) as never;
}

globalThis.setTimeout = tracking(globalThis.setTimeout);
globalThis.setInterval = tracking(globalThis.setInterval);

/** Whether a timer waits still. Node says it in no other way. */
const isWaiting = (timer: object): boolean => !("_destroyed" in timer && timer._destroyed === true);

async function look(): Promise<Holdings> {
  // What was looked at in this turn is kept until the next one.
  for (let times = 0; times < 2; times++) {
    await turn();
    globalThis.gc?.();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  return {
    heapMb: (heapUsed + external) / BYTES_PER_MB,
    residentMb: rss / BYTES_PER_MB,
    objects: {
      leases: leases.count(),
      sessions: sessions.count(),
      sockets: sockets.count(),
      answers: answers.count(),
      timers: timers.count(isWaiting),
    },
    resources,
  };
}

process.on("message", () => {
  void look().then((held) => process.send?.(held));
});
// The soak has gone.
process.on("disconnect", () => process.exit(1));
process.channel?.unref();
