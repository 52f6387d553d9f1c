/** Compares a miner's receipt with the one that the coordinator expects. */
import { isObject } from "./check.ts";
import type { Receipt } from "./fields.ts";

/** How far the miner's clock may stand from the coordinator's: what NTP and a slow link leave. */
export const COMPLETED_AT_TOLERANCE_SECONDS = 5;
export const DURATION_TOLERANCE_MS = 5000;

const TOLERANCES: Readonly<Record<string, number>> = {
  "/completed_at": COMPLETED_AT_TOLERANCE_SECONDS,
  "/duration_ms": DURATION_TOLERANCE_MS,
};

/** Members that are signed over nothing but the rest. */
const UNSIGNED = new Set(["/signature", "/attestations"]);

/**
 * Pointers to the members that differ, in order; empty where the receipts say the same. A missing and a null
 * member are the same; an extra one differs. The two times may differ within their tolerance. Signature and
 * attestations are not compared.
 */
export function compareReceipt(expected: Receipt, received: Receipt): string[] {
  const pointers: string[] = [];
  compare(expected, received, "", pointers);
  return pointers.sort();
}

function compare(expected: unknown, received: unknown, pointer: string, pointers: string[]): void {
  if (isObject(expected) && isObject(received)) {
    for (const name of new Set([...Object.keys(expected), ...Object.keys(received)])) {
      const at = `${pointer}/${name}`;
      if (!UNSIGNED.has(at)) compare(expected[name], received[name], at, pointers);
    }
    return;
  }
  const tolerance = TOLERANCES[pointer];
  const isClose =
    tolerance !== undefined &&
    typeof expected === "number" &&
    typeof received === "number" &&
    Math.abs(expected - received) <= tolerance;
  if (!isClose && (expected ?? null) !== (received ?? null)) pointers.push(pointer);
}
