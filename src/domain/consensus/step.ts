/**
 * Byzantine-fault-tolerant consensus on one block after the other: Tendermint's algorithm (arXiv 1807.04938) as a
 * pure function. Safe while fewer than a third of the validators are faulty, whatever the network does; live once
 * messages arrive within any bound. Decision 0010 argues it against the paper.
 */
import { AppError } from "../../kernel/errors.ts";
import type { Block } from "./block.ts";
import { findBlockProblem } from "./check-block.ts";
import { acceptEarly } from "./early.ts";
import type { ConsensusEffect, ConsensusEvent, HeightInput, StoredBlock } from "./event.ts";
import { headerHash } from "./header.ts";
import { NO_ROUND } from "./proposal.ts";
import { receive } from "./receive.ts";
import { acceptCertificate, acceptProposal, acceptVote, learnBlock } from "./record.ts";
import { schedule, startRound } from "./rounds.ts";
import { applyRules } from "./rules.ts";
import { afterFinalBlock, NO_LOCKS, type SignState } from "./sign-state.ts";
import { castVote, propose } from "./signing.ts";
import { findOwnAddress, findProof, getRound, type Settings, type State } from "./state.ts";
import { statusOf } from "./status.ts";
import type { Timeout } from "./timing.ts";
import { Work } from "./work.ts";

type Stepped = [state: State, effects: readonly ConsensusEffect[]];

/** The state after an event, and what is to be done. Never throws for what a peer sends. */
export function step(state: State, event: ConsensusEvent): Stepped {
  const work = new Work(state);
  happen(work, event);
  applyRules(work);
  return work.finish();
}

function happen(work: Work, event: ConsensusEvent): void {
  const { phase, signState } = work.state;
  switch (event.type) {
    case "height.started":
      startHeight(work, event.input);
      break;
    case "work.arrived":
      if (phase === "waiting") startRound(work, 0);
      break;
    case "timeout.passed":
      passTimeout(work, event.timeout);
      break;
    case "gossip.due":
      if (phase !== "final") work.send(statusOf(work.state), event.peer ?? null);
      break;
    case "message.received":
      receive(work, event.from, event.message, event.now);
      break;
    case "block.produced":
      proposeProduced(work, event.round, event.block);
      break;
    case "block.validated":
      noteValidity(work, event.hash, event.valid);
      break;
    case "signing.allowed":
      work.update({ signState: { ...signState, waiting: null } });
      work.mustSave = true;
  }
}

function emptyState(settings: Settings, input: HeightInput, signState: SignState): State {
  return {
    settings,
    input,
    phase: "waiting",
    round: 0,
    step: "propose",
    locks: NO_LOCKS,
    rounds: new Map(),
    blocks: new Map(),
    reported: new Set(),
    early: new Map(),
    signState,
    helper: null,
  };
}

function startHeight(work: Work, input: HeightInput): void {
  const { settings, signState, early, helper } = work.state;
  const counted = afterFinalBlock(signState, input.parent.time);
  work.state = emptyState(settings, input, counted);
  work.mustSave = counted !== signState;
  schedule(work, "empty-block");
  acceptEarly(work, early.values());
  if (helper !== null) work.send(statusOf(work.state), helper);
}

/**
 * Starts a node, or starts it again after a crash. `signState` is what was last saved, and `stored` the blocks that
 * were stored for this height; the node goes on at the place where it last signed, and says the same things again.
 */
export function resume(
  settings: Settings,
  input: HeightInput,
  signState: SignState,
  stored: readonly StoredBlock[],
): Stepped {
  const work = new Work(emptyState(settings, input, signState));
  if (signState.height === input.height) takeUp(work, stored);
  else schedule(work, "empty-block");
  applyRules(work);
  return work.finish();
}

function takeUp(work: Work, stored: readonly StoredBlock[]): void {
  const { signState } = work.state;
  const { locked_round, locked_hash, valid_round, valid_hash, round } = signState;
  const locks = { locked_round, locked_hash, valid_round, valid_hash };
  work.update({ phase: "deciding", round, step: signState.step, locks });
  for (const { block, proof } of stored) {
    learnBlock(work, headerHash(block.header), block);
    if (proof) acceptCertificate(work, proof);
  }
  for (const proposal of signState.proposals) {
    const known = work.state.blocks.get(proposal.block_hash);
    if (!known) continue;
    acceptProposal(work, proposal, known.block, true);
    const proof = findProof(work.state, proposal);
    work.send({ type: "proposal", proposal, block: known.block, proof });
  }
  for (const vote of signState.votes) {
    acceptVote(work, vote);
    work.send({ type: "vote", vote });
  }
  if (signState.step === "propose") schedule(work, "propose");
}

/** Lines 57 to 67. */
function passTimeout(work: Work, { kind, height, round }: Timeout): void {
  const { state } = work;
  if (height !== state.input.height) return;
  if (kind === "empty-block") {
    if (state.phase === "waiting") startRound(work, 0);
    return;
  }
  if (state.phase !== "deciding" || round !== state.round) return;
  if (kind === "propose" && state.step === "propose") castVote(work, "prevote", null);
  if (kind === "prevote" && state.step === "prevote") castVote(work, "precommit", null);
  if (kind === "precommit") startRound(work, round + 1);
}

/** A block made here is proposed if its round still waits for one. Throws INTERNAL when it is not as was asked. */
function proposeProduced(work: Work, round: number, block: Block): void {
  const { state } = work;
  const isDue = state.phase === "deciding" && state.round === round && state.step === "propose";
  if (!isDue || block.header.height !== state.input.height || getRound(state, round).received) return;
  const problem =
    block.header.proposer === findOwnAddress(state)
      ? findBlockProblem(block, state.settings, state.input)
      : "its maker is another";
  if (problem !== undefined)
    throw new AppError("INTERNAL", `a block made here cannot be proposed: ${problem}`);
  const hash = headerHash(block.header);
  // Made here by the rules that a validation would ask.
  work.updateBlock(hash, { block, validity: "valid" });
  propose(work, hash, block, NO_ROUND);
}

function noteValidity(work: Work, hash: string, valid: boolean): void {
  const known = work.state.blocks.get(hash);
  if (known) work.updateBlock(hash, { ...known, validity: valid ? "valid" : "invalid" });
}
