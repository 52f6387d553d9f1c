import { MAX_NAME } from "../../../wire/limits.ts";
import type { MinerCapabilities } from "../../../wire/session.ts";

/** A GPU as capabilities name it. */
export type Gpu = MinerCapabilities["gpus"][number];

/** Text from the machine as frames carry it: printable ASCII, bounded, never empty. */
export function printable(text: string, maxLength: number = MAX_NAME): string {
  const clean = text.replace(/[^\x20-\x7e]+/g, "?").trim();
  return clean.slice(0, maxLength) || "unknown";
}

/** `1 card`, `2 cards`. */
export function countLabel(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
