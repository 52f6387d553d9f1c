/** The votes of one step of one round: one from each validator, and the quorum that they make. */
import { toHex } from "../../crypto/bytes.ts";
import type { Certificate } from "./certificate.ts";
import type { ValidatorSet } from "./validator-set.ts";
import type { Vote } from "./vote.ts";

export interface Ballots {
  /** By validator; the first vote of each counts. */
  readonly votes: ReadonlyMap<string, Vote>;
  /** A quorum for one block. There is at most one such block while fewer than a third are faulty. */
  readonly certificate: Certificate | null;
}

export const NO_BALLOTS: Ballots = { votes: new Map(), certificate: null };

/** Adds a verified vote of a validator that has none here yet. */
export function addVote(ballots: Ballots, vote: Vote, validators: ValidatorSet): Ballots {
  const votes = new Map(ballots.votes).set(vote.validator, vote);
  const isQuorum = vote.block_hash !== null && countVotes(votes, vote.block_hash) >= validators.quorum;
  const certificate = ballots.certificate ?? (isQuorum ? certificateOf(votes, vote) : null);
  return { votes, certificate };
}

/** Votes for a block, or for none. */
export function countVotes(votes: ReadonlyMap<string, Vote>, blockHash: string | null): number {
  let count = 0;
  for (const vote of votes.values()) if (vote.block_hash === blockHash) count++;
  return count;
}

/** The votes that say the same as this one, as a certificate. */
function certificateOf(
  votes: ReadonlyMap<string, Vote>,
  { v, height, round, step, block_hash }: Vote,
): Certificate | null {
  if (block_hash === null) return null;
  const signatures = [...votes.values()]
    .filter((vote) => vote.block_hash === block_hash)
    .map(({ validator, signature }) => ({ validator, signature }))
    .sort((a, b) => (a.validator < b.validator ? -1 : 1));
  return { v, height, round, step, block_hash, signatures };
}

/** The votes that a certificate is made of. */
export function votesOf({ signatures, ...content }: Certificate): readonly Vote[] {
  return signatures.map((signature) => ({ ...content, ...signature }));
}

/** Who voted: a bit for each validator, by index, the lowest bit of a byte first, as hex. */
export function bitmapOf(votes: ReadonlyMap<string, Vote>, validators: ValidatorSet): string {
  const bytes = new Uint8Array(Math.ceil(validators.size / 8));
  for (const validator of votes.keys()) {
    const index = validators.findIndex(validator) ?? 0;
    bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return toHex(bytes);
}

/** Whether a bitmap has a validator's bit. A bitmap that is too short lacks it. */
export function hasBit(bitmap: string, index: number): boolean {
  const byte = Number.parseInt(bitmap.slice((index >> 3) * 2, (index >> 3) * 2 + 2), 16);
  return ((byte >> (index & 7)) & 1) === 1;
}
