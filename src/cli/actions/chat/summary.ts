import { createAppMeters } from "../../../app/meters.ts";
import type { Client } from "../../../client/client.ts";
import type { Pins } from "../../../domain/receipt/evidence.ts";
import { parseReceipt } from "../../../domain/receipt/parse.ts";
import { type Verdict, verifyReceipt } from "../../../domain/receipt/verify.ts";
import type { Followed } from "../follow.ts";
import { readIdentities } from "../identities.ts";

const MS_PER_SECOND = 1000;
/** Shortest time in which a speed is measured, in ms: what comes at once says nothing about its making. */
const LEAST_MEASURED_MS = 50;

const WORDS: Readonly<Record<Verdict, string>> = {
  verified: "verified",
  signer_unknown: "signatures hold, signers not known here",
  invalid: "INVALID: do not trust this answer",
};
/** The worst verdict speaks for all receipts of a job. */
const WORST: readonly Verdict[] = ["invalid", "signer_unknown", "verified"];

/** Keys of this machine's own coordinator and miner: receipts that they sign are from somebody who is known. */
export async function ownKeys(dataDir: string): Promise<Pins> {
  // A directory that cannot be read pins nothing, and the verdict says so.
  const identities = await readIdentities(dataDir).catch(() => []);
  const keysOf = (role: string): string[] =>
    identities.filter((one) => one.role === role).map((one) => one.public_key);
  return { coordinatorKeys: keysOf("coordinator"), minerKeys: keysOf("miner") };
}

/** One line about an answer: tokens, speed, who wrote it, and whether its receipts hold for what was shown. */
export async function summarize(
  client: Client,
  jobId: string,
  followed: Followed,
  pins: Pins,
): Promise<{ readonly line: string; readonly verdict: Verdict | undefined }> {
  const { end, minerId } = followed;
  const found = end.receipt_id === null ? undefined : await checkReceipts(client, jobId, followed, pins);
  const miner = found?.miner ?? minerId;
  const parts = [
    ...describeSpeed(followed),
    ...(miner === null ? [] : [`miner ${miner}`]),
    ...(found ? [found.line] : []),
  ];
  return { line: parts.join(" · "), verdict: found?.verdict };
}

/** Tokens, where the engine counted them, and how many came in a second, where there was time to measure. */
export function describeSpeed({
  end,
  firstTextMs,
  endMs,
}: Pick<Followed, "end" | "firstTextMs" | "endMs">): string[] {
  const tokens = end.usage?.completion_tokens;
  if (tokens === undefined) return [`${end.units} units`];
  const counted = tokens === 1 ? "1 token" : `${tokens} tokens`;
  const ms = firstTextMs === null ? 0 : endMs - firstTextMs;
  if (ms < LEAST_MEASURED_MS) return [counted];
  return [counted, `${((tokens / ms) * MS_PER_SECOND).toFixed(1)} tok/s`];
}

interface Checked {
  readonly line: string;
  readonly verdict?: Verdict;
  /** Who wrote the end of the answer, as its receipt says. */
  readonly miner?: string;
}

async function checkReceipts(
  client: Client,
  jobId: string,
  { output, end }: Followed,
  pins: Pins,
): Promise<Checked> {
  const evidence = { output: new TextEncoder().encode(output.raw), meters: createAppMeters() };
  const verdicts: Verdict[] = [];
  let provider: unknown;
  try {
    for await (const receipt of client.listReceipts(jobId)) {
      verdicts.push(verifyReceipt(parseReceipt(JSON.stringify(receipt)), evidence, pins).verdict);
      provider = receipt["provider"];
    }
  } catch {
    return { line: `receipt ${end.receipt_id} could not be fetched and read now` };
  }
  const verdict = WORST.find((one) => verdicts.includes(one)) ?? "invalid";
  const more = verdicts.length > 1 ? ` and ${verdicts.length - 1} before it` : "";
  const line = `receipt ${end.receipt_id}${more} ${WORDS[verdict]}`;
  return { line, verdict, ...(typeof provider === "string" && { miner: provider }) };
}
