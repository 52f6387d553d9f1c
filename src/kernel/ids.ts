import { randomBytes } from "node:crypto";
import type { Clock } from "./clock.ts";

/** A source of random bytes, as an argument, so that a test or a simulation can repeat itself. */
export type RandomBytes = (length: number) => Uint8Array;

export const systemRandomBytes: RandomBytes = (length) => randomBytes(length);

/** Makes ids. All of them sort by the time they were made. */
export interface Ids {
  /** UUIDv7 (RFC 9562 §5.7) as 32 lower-case hex characters; ids of one process are strictly increasing. */
  next(): string;
}

/** Random bytes fetched at once: one call to the operating system serves this many ids. */
const POOL_IDS = 128;
const RANDOM_BYTES_PER_ID = 8;
const MAX_SEQUENCE = 0xfff;

/** The random parts of some ids, one after the other, as hex. */
function randomPool(random: RandomBytes): string {
  const bytes = Buffer.from(random(POOL_IDS * RANDOM_BYTES_PER_ID));
  for (let at = 0; at < bytes.length; at += RANDOM_BYTES_PER_ID) {
    // The two highest bits are the variant, 0b10.
    bytes[at] = ((bytes[at] ?? 0) & 0x3f) | 0x80;
  }
  return bytes.toString("hex");
}

/**
 * Creates ids from a clock and random bytes. Within one millisecond the 12 bits after the version count up
 * (RFC 9562 §6.2, method 1); when they are used up the time part moves one millisecond ahead.
 */
export function createIds(clock: Clock, random: RandomBytes = systemRandomBytes): Ids {
  let lastMs = 0;
  let sequence = 0;
  let pool = "";
  let used = 0;
  const randomHex = (): string => {
    if (used >= pool.length) {
      pool = randomPool(random);
      used = 0;
    }
    const hex = pool.slice(used, used + 2 * RANDOM_BYTES_PER_ID);
    used += 2 * RANDOM_BYTES_PER_ID;
    return hex;
  };
  return {
    next() {
      const now = clock.now();
      if (now > lastMs) {
        lastMs = now;
        sequence = 0;
      } else if (++sequence > MAX_SEQUENCE) {
        lastMs++;
        sequence = 0;
      }
      const time = lastMs.toString(16).padStart(12, "0");
      return `${time}7${sequence.toString(16).padStart(3, "0")}${randomHex()}`;
    },
  };
}
