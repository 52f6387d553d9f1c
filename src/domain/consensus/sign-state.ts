/**
 * What a validator has signed, so that it never signs two different things for one step. The owner of this state
 * saves it, durably, before anything it holds is sent; it is never part of a backup.
 */
import { canonicalizeSigned, parseCanonical } from "../../crypto/canonical-json.ts";
import { NO_ROUND, type Proposal, readProposal } from "./proposal.ts";
import { HASH, readInteger, readList, readMembers, readOneOf, readText } from "./read.ts";
import { readVote, type Vote } from "./vote.ts";

/** The steps of a round, in their order. */
export const STEPS = ["propose", "prevote", "precommit"] as const;
export type Step = (typeof STEPS)[number];

/** One step of one round of one height: what a validator signs at most once. */
export interface Place {
  readonly height: number;
  readonly round: number;
  readonly step: Step;
}

/** The block that a validator precommitted, and the last that a quorum prevoted, each with its round. */
export type Locks = {
  readonly locked_round: number;
  readonly locked_hash: string | null;
  readonly valid_round: number;
  readonly valid_hash: string | null;
  /** Hash of the certificate that proves it: of the stored ones this alone holds nothing that was never saved. */
  readonly valid_proof: string | null;
};

export const NO_LOCKS: Locks = {
  locked_round: NO_ROUND,
  locked_hash: null,
  valid_round: NO_ROUND,
  valid_hash: null,
  valid_proof: null,
};

/** A validator that may have signed what it does not know of, because its sign-state was lost. */
export type Waiting = {
  /** When it began to wait, in Unix ms. */
  readonly since: number;
  /** Blocks made after that which it has seen become final. */
  readonly final_blocks: number;
};

/** A type alias, not an interface, so that it passes where any JSON object does. */
export type SignState = Locks & {
  readonly v: 1;
  /** The furthest place that was signed for; height 0 for none. */
  readonly height: number;
  readonly round: number;
  readonly step: Step;
  /**
   * What was signed at this height in the furthest round and the one before. A validator that comes back sends
   * these again: others may have lost them, and can be waiting for them in no earlier round (decision 0010).
   */
  readonly proposals: readonly Proposal[];
  readonly votes: readonly Vote[];
  /** Null for a validator that may sign. */
  readonly waiting: Waiting | null;
};

/** Sign-state of a key that has never signed. */
export const NEW_SIGN_STATE: SignState = {
  v: 1,
  height: 0,
  round: 0,
  step: "propose",
  ...NO_LOCKS,
  proposals: [],
  votes: [],
  waiting: null,
};

/** Final blocks, made after the sign-state was lost, that a validator waits for: its last vote was below them. */
const BLOCKS_AFTER_RESTORE = 2;

/** Sign-state of a key whose own was lost at some time before `now` (Unix ms), as after a restored backup. */
export function lostSignState(now: number): SignState {
  return { ...NEW_SIGN_STATE, waiting: { since: now, final_blocks: 0 } };
}

/** Counts a final block's time (Unix ms): only blocks that were made after the loss bring the wait to its end. */
export function afterFinalBlock(signState: SignState, time: number): SignState {
  const { waiting } = signState;
  if (waiting === null || time <= waiting.since) return signState;
  const final_blocks = waiting.final_blocks + 1;
  return { ...signState, waiting: final_blocks < BLOCKS_AFTER_RESTORE ? { ...waiting, final_blocks } : null };
}

/** Whether something new may be signed for a place: it lies beyond everything that was signed. */
export function maySign(signState: SignState, place: Place): boolean {
  if (signState.waiting !== null) return false;
  if (place.height !== signState.height) return place.height > signState.height;
  if (place.round !== signState.round) return place.round > signState.round;
  return STEPS.indexOf(place.step) > STEPS.indexOf(signState.step);
}

/** The state after a proposal. That it may be signed was asked before. */
export function recordProposal(signState: SignState, proposal: Proposal, locks: Locks): SignState {
  const next = movedTo(signState, { ...proposal, step: "propose" }, locks);
  return { ...next, proposals: [...next.proposals, proposal] };
}

/** The state after a vote. That it may be signed was asked before. */
export function recordVote(signState: SignState, vote: Vote, locks: Locks): SignState {
  const next = movedTo(signState, vote, locks);
  return { ...next, votes: [...next.votes, vote] };
}

function movedTo(signState: SignState, { height, round, step }: Place, locks: Locks): SignState {
  const isKept = (message: Vote | Proposal): boolean =>
    message.height === height && message.round >= round - 1;
  return {
    ...signState,
    ...locks,
    height,
    round,
    step,
    proposals: signState.proposals.filter(isKept),
    votes: signState.votes.filter(isKept),
  };
}

/** Text of a sign-state, for its file. */
export function formatSignState(signState: SignState): string {
  return canonicalizeSigned(signState);
}

const NAMES = [
  "v",
  "height",
  "round",
  "step",
  "locked_round",
  "locked_hash",
  "valid_round",
  "valid_hash",
  "valid_proof",
  "proposals",
  "votes",
  "waiting",
] as const;

/** Two rounds of at most one proposal and two votes each. */
const MAX_PROPOSALS = 2;
const MAX_VOTES = 4;

/** Reads a sign-state's text. Throws INVALID_PAYLOAD, or as the JSON parser does: a file that is damaged is not used. */
export function parseSignState(text: string): SignState {
  const members = readMembers(parseCanonical(text), "", NAMES, [
    "locked_hash",
    "valid_hash",
    "valid_proof",
    "waiting",
  ]);
  const hash = (name: "locked_hash" | "valid_hash" | "valid_proof"): string | null =>
    members[name] === undefined ? null : readText(members[name], `/${name}`, HASH);
  return {
    v: readOneOf(members.v, "/v", [1]),
    height: readInteger(members.height, "/height"),
    round: readInteger(members.round, "/round"),
    step: readOneOf(members.step, "/step", STEPS),
    locked_round: readInteger(members.locked_round, "/locked_round", NO_ROUND),
    locked_hash: hash("locked_hash"),
    valid_round: readInteger(members.valid_round, "/valid_round", NO_ROUND),
    valid_hash: hash("valid_hash"),
    valid_proof: hash("valid_proof"),
    proposals: readList(members.proposals, "/proposals", MAX_PROPOSALS, readProposal),
    votes: readList(members.votes, "/votes", MAX_VOTES, readVote),
    waiting: members.waiting === undefined ? null : readWaiting(members.waiting),
  };
}

function readWaiting(value: unknown): Waiting {
  const members = readMembers(value, "/waiting", ["since", "final_blocks"]);
  return {
    since: readInteger(members.since, "/waiting/since"),
    final_blocks: readInteger(members.final_blocks, "/waiting/final_blocks"),
  };
}
