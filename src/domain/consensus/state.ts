/** The state of consensus at one height. Immutable: a step makes a new one that shares what did not change. */
import { type Ballots, NO_BALLOTS } from "./ballots.ts";
import type { Block } from "./block.ts";
import type { Certificate } from "./certificate.ts";
import type { HeightInput } from "./event.ts";
import type { Proposal } from "./proposal.ts";
import { type Locks, NO_LOCKS, type SignState, type Step } from "./sign-state.ts";
import type { Timing } from "./timing.ts";
import type { Sign, Verify, Vote } from "./vote.ts";

/** What stays the same at all heights. */
export interface Settings {
  readonly chainId: string;
  /** Hash of the genesis file: 32 bytes. */
  readonly realm: Uint8Array;
  /** The key this node votes with, where it has one. Signing must give the same bytes for the same message. */
  readonly signer: { readonly address: string; readonly sign: Sign } | null;
  /** The rule for signatures: `ed25519.verify`. */
  readonly verify: Verify;
  readonly timing: Timing;
}

/**
 * `waiting`: for a reason to start round 0. `deciding`: in a round. `final`: a block was committed, and the next
 * height has not started.
 */
export type Phase = "waiting" | "deciding" | "final";

/** A proposal that was received, and whether a fresh block under it is one to prevote. */
export interface ReceivedProposal {
  readonly proposal: Proposal;
  /** Its time was believable when it came, and its block names the one who proposes it as its maker. */
  readonly isFair: boolean;
}

export interface Round {
  readonly received: ReceivedProposal | null;
  readonly prevotes: Ballots;
  readonly precommits: Ballots;
  /** What is done for the first time only (lines 34, 36 and 47 of the paper). */
  readonly done: {
    readonly prevoteTimeout: boolean;
    readonly lock: boolean;
    readonly precommitTimeout: boolean;
  };
}

const NEW_ROUND: Round = {
  received: null,
  prevotes: NO_BALLOTS,
  precommits: NO_BALLOTS,
  done: { prevoteTimeout: false, lock: false, precommitTimeout: false },
};

/** A block and what is known of it. `asked`: the ledger was asked and has not answered. */
export interface KnownBlock {
  readonly block: Block;
  readonly validity: "unknown" | "asked" | "valid" | "invalid";
}

/** A message for the next height whose signature was verified. */
export type EarlyMessage =
  | { readonly type: "vote"; readonly vote: Vote }
  | { readonly type: "proposal"; readonly proposal: Proposal; readonly block: Block; readonly now: number };

export interface State {
  readonly settings: Settings;
  readonly input: HeightInput;
  readonly phase: Phase;
  readonly round: number;
  readonly step: Step;
  readonly locks: Locks;
  readonly rounds: ReadonlyMap<number, Round>;
  /** By hash. */
  readonly blocks: ReadonlyMap<string, KnownBlock>;
  /** Validators whose equivocation at this height was reported: one report each is enough. */
  readonly reported: ReadonlySet<string>;
  /** One for each validator and step of round 0 of the next height. */
  readonly early: ReadonlyMap<string, EarlyMessage>;
  readonly signState: SignState;
  /** The peer that sent this height's block as final: it has more, and is asked as soon as the next height starts. */
  readonly helper: string | null;
}

/** A height that has just begun. */
export function createState(settings: Settings, input: HeightInput, signState: SignState): State {
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

/** A round as far as it is known. */
export function getRound(state: State, round: number): Round {
  return state.rounds.get(round) ?? NEW_ROUND;
}

/** Address under which this node votes at this height, if it is a validator. */
export function findOwnAddress({ settings, input }: State): string | undefined {
  const address = settings.signer?.address;
  return address !== undefined && input.validators.has(address) ? address : undefined;
}

/** The proof of lock that a proposal names, if it is here: its proposer may name one that does not exist. */
export function findProof(state: State, { valid_round, block_hash }: Proposal): Certificate | null {
  const { certificate } = getRound(state, valid_round).prevotes;
  return certificate?.block_hash === block_hash ? certificate : null;
}

/** Highest round with a proof of lock: a quorum of prevotes for one block. */
export function findProofRound(state: State): number | undefined {
  let highest: number | undefined;
  for (const [round, { prevotes }] of state.rounds) {
    if (prevotes.certificate !== null && round > (highest ?? -1)) highest = round;
  }
  return highest;
}
