/**
 * The rules of algorithm 1 of arXiv 1807.04938, cited by line. Each asks whether the state calls for it, and is
 * applied once when it does; they are asked again until none does. Decision 0010 argues where they differ.
 */
import { countVotes } from "./ballots.ts";
import { certificateHash } from "./certificate.ts";
import { NO_ROUND } from "./proposal.ts";
import { schedule, startRound } from "./rounds.ts";
import { castVote } from "./signing.ts";
import { findOwnAddress, findProof, getRound, type Round, type State } from "./state.ts";
import type { Work } from "./work.ts";

/** Whether it was applied. */
type Rule = (work: Work) => boolean;

/** Applies every rule that the state calls for. */
export function applyRules(work: Work): void {
  while (RULES.some((rule) => rule(work)));
}

/** Whether a block is valid, or undefined while that is not known; the ledger is asked once. */
function findValidity(work: Work, hash: string): boolean | undefined {
  const known = work.state.blocks.get(hash);
  if (known?.validity === "unknown") {
    work.updateBlock(hash, { ...known, validity: "asked" });
    work.add({ type: "validate_block", hash, block: known.block });
  }
  if (known?.validity === "valid") return true;
  return known?.validity === "invalid" ? false : undefined;
}

/** Lines 49 to 54: a quorum of precommits, of any round, for a valid block. */
function decide(work: Work): boolean {
  if (work.state.phase === "final") return false;
  for (const { precommits } of work.state.rounds.values()) {
    const { certificate } = precommits;
    const known = certificate && work.state.blocks.get(certificate.block_hash);
    if (!known) continue;
    const hash = certificate.block_hash;
    const isValid = findValidity(work, hash);
    if (isValid === undefined) continue;
    work.update({ phase: "final" });
    if (isValid) work.add({ type: "commit_block", hash, final: { block: known.block, certificate } });
    else work.add({ type: "halt", reason: `a quorum precommitted block ${hash}, which is not valid here` });
    return true;
  }
  return false;
}

/** Round 0 starts with a valid proposal, or with f + 1 votes; the other reasons are events. */
function startHeight(work: Work): boolean {
  const { phase, rounds, input } = work.state;
  if (phase !== "waiting") return false;
  const received = rounds.get(0)?.received;
  const isProposed = received && findValidity(work, received.proposal.block_hash) === true;
  const voters = new Set<string>();
  for (const { prevotes, precommits } of rounds.values()) {
    for (const { votes } of [prevotes, precommits]) for (const voter of votes.keys()) voters.add(voter);
  }
  if (!isProposed && voters.size <= input.validators.faults) return false;
  startRound(work, 0);
  return true;
}

/** Lines 55 and 56: goes to the highest round that f + 1 validators have reached, of which one is honest. */
function skipRounds(work: Work): boolean {
  const { phase, round: current, rounds, input } = work.state;
  if (phase !== "deciding") return false;
  const reached = new Map<string, number>();
  const note = (validator: string, round: number): void => {
    if (round > (reached.get(validator) ?? current)) reached.set(validator, round);
  };
  for (const [round, { received, prevotes, precommits }] of rounds) {
    if (round <= current) continue;
    if (received) note(received.proposal.proposer, round);
    for (const { votes } of [prevotes, precommits]) for (const voter of votes.keys()) note(voter, round);
  }
  const round = [...reached.values()].sort((a, b) => b - a)[input.validators.faults];
  if (round === undefined) return false;
  startRound(work, round);
  return true;
}

/** The current round while it is being decided in one of these steps. */
function findCurrent(state: State, ...steps: readonly State["step"][]): Round | undefined {
  return state.phase === "deciding" && steps.includes(state.step) ? getRound(state, state.round) : undefined;
}

/** Lines 22 to 33: prevotes for the proposal of this round, when its block is known to be good or bad. */
function prevote(work: Work): boolean {
  const { state } = work;
  const received = findCurrent(state, "propose")?.received;
  if (!received) return false;
  const { block_hash, valid_round } = received.proposal;
  const isFresh = valid_round === NO_ROUND;
  if (!isFresh && findProof(state, received.proposal) === null) return false;
  const isValid = findValidity(work, block_hash);
  if (isValid === undefined) return false;
  const { locked_round, locked_hash } = state.locks;
  const isUnlocked = isFresh ? locked_round === NO_ROUND : locked_round <= valid_round;
  const isGood = isValid && (received.isFair || !isFresh) && (isUnlocked || locked_hash === block_hash);
  castVote(work, "prevote", isGood ? block_hash : null);
  return true;
}

/** Lines 34 and 35: a quorum of any prevotes starts the wait for the rest. */
function awaitPrevotes(work: Work): boolean {
  const current = findCurrent(work.state, "prevote");
  if (!current || current.done.prevoteTimeout) return false;
  if (current.prevotes.votes.size < work.state.input.validators.quorum) return false;
  work.updateRound(work.state.round, { done: { ...current.done, prevoteTimeout: true } });
  schedule(work, "prevote");
  return true;
}

/** Lines 36 to 43: a quorum of prevotes for a valid block locks it, and makes it the one to propose again. */
function lock(work: Work): boolean {
  const { state } = work;
  const current = findCurrent(state, "prevote", "precommit");
  const proof = current?.prevotes.certificate;
  if (!current || !proof || current.done.lock || findValidity(work, proof.block_hash) !== true) return false;
  work.updateRound(state.round, { done: { ...current.done, lock: true } });
  const hash = proof.block_hash;
  const valid = { valid_round: state.round, valid_hash: hash, valid_proof: certificateHash(proof) };
  const locked = state.step === "prevote" ? { locked_round: state.round, locked_hash: hash } : {};
  work.update({ locks: { ...state.locks, ...locked, ...valid } });
  keep(work, hash);
  if (state.step === "prevote") castVote(work, "precommit", hash);
  return true;
}

/** Has the block and its proof stored, and the locks saved with what was signed at this height. */
function keep(work: Work, hash: string): void {
  const { input, locks, blocks, round, signState } = work.state;
  const block = blocks.get(hash)?.block;
  if (!block || findOwnAddress(work.state) === undefined) return;
  work.store({ block, proof: getRound(work.state, round).prevotes.certificate });
  if (signState.height !== input.height) return;
  work.update({ signState: { ...signState, ...locks } });
  work.mustSave = true;
}

/** Lines 44 to 46: a quorum of prevotes for none ends the round's hope. */
function precommitNone(work: Work): boolean {
  const current = findCurrent(work.state, "prevote");
  if (!current || countVotes(current.prevotes.votes, null) < work.state.input.validators.quorum) return false;
  castVote(work, "precommit", null);
  return true;
}

/** Lines 47 and 48: a quorum of any precommits starts the wait for the rest. */
function awaitPrecommits(work: Work): boolean {
  const current = findCurrent(work.state, "propose", "prevote", "precommit");
  if (!current || current.done.precommitTimeout) return false;
  if (current.precommits.votes.size < work.state.input.validators.quorum) return false;
  work.updateRound(work.state.round, { done: { ...current.done, precommitTimeout: true } });
  schedule(work, "precommit");
  return true;
}

/** In this order: what ends the height, then what ends the round, then the steps within it. */
const RULES: readonly Rule[] = [
  decide,
  startHeight,
  skipRounds,
  prevote,
  lock,
  precommitNone,
  awaitPrevotes,
  awaitPrecommits,
];
