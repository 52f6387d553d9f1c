/**
 * Byzantine-fault-tolerant consensus on one block after the other: Tendermint's algorithm (arXiv 1807.04938) as a
 * pure function. Safe while fewer than a third of the validators are faulty, whatever the network does; live once
 * messages arrive within any bound. Decision 0010 argues it against the paper.
 */
import { AppError } from "../../kernel/errors.ts";
import type { Block } from "./block.ts";
import { findBlockProblem } from "./check-block.ts";
import { acceptEarly } from "./early.ts";
import type { ConsensusEffect, ConsensusEvent, HeightInput } from "./event.ts";
import { headerHash } from "./header.ts";
import { NO_ROUND } from "./proposal.ts";
import { receive } from "./receive.ts";
import { begin } from "./resume.ts";
import { startRound } from "./rounds.ts";
import { applyRules } from "./rules.ts";
import { afterFinalBlock } from "./sign-state.ts";
import { castVote, propose } from "./signing.ts";
import { createState, findOwnAddress, getRound, type State } from "./state.ts";
import { statusOf } from "./status.ts";
import type { Timeout } from "./timing.ts";
import { Work } from "./work.ts";

/** The state after an event, and what is to be done. Never throws for what a peer sends. */
export function step(state: State, event: ConsensusEvent): [State, readonly ConsensusEffect[]] {
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

function startHeight(work: Work, input: HeightInput): void {
  const { settings, signState, early, helper } = work.state;
  const counted = afterFinalBlock(signState, input.parent.time);
  work.state = createState(settings, input, counted);
  work.mustSave = counted !== signState;
  begin(work, []);
  acceptEarly(work, early.values());
  if (helper !== null) work.send(statusOf(work.state), helper);
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
