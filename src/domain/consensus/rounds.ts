/** Rounds: how one begins, and what is kept of those before. */
import { frameOf } from "./check-block.ts";
import { mayPropose, propose } from "./signing.ts";
import {
  findOwnAddress,
  findProofRound,
  getRound,
  type KnownBlock,
  type Round,
  type State,
} from "./state.ts";
import { type TimeoutKind, timeoutMs } from "./timing.ts";
import type { Work } from "./work.ts";

/** Past rounds whose votes are kept for peers that are behind. Anybody further behind skips to a later round. */
export const KEPT_ROUNDS = 16;

/** Lines 11 to 21 of the paper. The proposer has a timeout too: its block is made by others and can fail to come. */
export function startRound(work: Work, round: number): void {
  work.update({ phase: "deciding", round, step: "propose" });
  forgetPast(work);
  const { input } = work.state;
  if (input.validators.proposer(input.height, round) === findOwnAddress(work.state)) proposeOrProduce(work);
  schedule(work, "propose");
}

/** Asks for a timeout of the current round. */
export function schedule(work: Work, kind: TimeoutKind): void {
  const { input, round, settings } = work.state;
  const delayMs = timeoutMs(settings.timing, kind, round);
  work.add({ type: "schedule_timeout", timeout: { kind, height: input.height, round }, delayMs });
}

/** Lines 15 to 19: the last block that a quorum prevoted, else a new one. */
function proposeOrProduce(work: Work): void {
  const { state } = work;
  const { input, locks, round } = state;
  if (!mayPropose(state) || getRound(state, round).received) return;
  const known = locks.valid_hash === null ? undefined : state.blocks.get(locks.valid_hash);
  if (locks.valid_hash !== null && known) {
    propose(work, locks.valid_hash, known.block, locks.valid_round);
    return;
  }
  const frame = frameOf(state.settings, input, input.validators.proposer(input.height, round));
  const lastCommit = input.parent.commit?.certificate ?? null;
  work.add({ type: "produce_block", round, frame, lastCommit, minTime: input.parent.time + 1 });
}

/** Bounds what is kept: of past rounds the latest, and those that a lock rests on; of blocks those in use. */
function forgetPast(work: Work): void {
  const { locks, round: current, rounds, blocks } = work.state;
  const proofRound = findProofRound(work.state);
  const isKept = ([round, { precommits }]: [number, Round]): boolean =>
    round >= current - KEPT_ROUNDS ||
    round === locks.locked_round ||
    round === locks.valid_round ||
    round === proofRound ||
    precommits.certificate !== null;
  const kept = new Map([...rounds].filter(isKept));
  const inUse = hashesInUse(work.state, kept);
  const isInUse = ([hash]: [string, KnownBlock]): boolean => inUse.has(hash);
  work.update({ rounds: kept, blocks: new Map([...blocks].filter(isInUse)) });
}

function hashesInUse(
  { locks, round: current }: State,
  rounds: ReadonlyMap<number, Round>,
): ReadonlySet<string | null | undefined> {
  const inUse = new Set<string | null | undefined>([locks.locked_hash, locks.valid_hash]);
  for (const [round, { received, prevotes, precommits }] of rounds) {
    inUse.add(prevotes.certificate?.block_hash);
    inUse.add(precommits.certificate?.block_hash);
    if (round >= current) inUse.add(received?.proposal.block_hash);
  }
  return inUse;
}
