import { setTimeout as sleep } from "node:timers/promises";

/** Pause between two looks, in ms: short beside any test, long enough that no rate limit is met on a fast machine. */
const POLL_MS = 10;

/** Looks again until what it sees is as wanted: for what tells nobody when it happens. The test's own time ends it. */
export async function poll<T>(look: () => T | Promise<T>, is: (seen: T) => boolean): Promise<T> {
  for (;;) {
    const seen = await look();
    if (is(seen)) return seen;
    await sleep(POLL_MS);
  }
}
