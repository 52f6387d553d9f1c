/** One node's consensus on a chain of a few validators, and messages of the others, made as a test wants them. */
import { addressOfKey } from "../../src/crypto/address.ts";
import { type SecretKey, verify } from "../../src/crypto/ed25519.ts";
import { sha256, sha256Hex } from "../../src/crypto/hash.ts";
import { type Block, textsRoot } from "../../src/domain/consensus/block.ts";
import type { Certificate } from "../../src/domain/consensus/certificate.ts";
import { frameOf } from "../../src/domain/consensus/check-block.ts";
import type {
  ConsensusEffect,
  ConsensusEvent,
  HeightInput,
  StoredBlock,
} from "../../src/domain/consensus/event.ts";
import { type Header, headerHash } from "../../src/domain/consensus/header.ts";
import type { ConsensusMessage, ProposalMessage } from "../../src/domain/consensus/message.ts";
import { NO_ROUND, signProposal } from "../../src/domain/consensus/proposal.ts";
import { resume } from "../../src/domain/consensus/resume.ts";
import { NEW_SIGN_STATE, type SignState } from "../../src/domain/consensus/sign-state.ts";
import type { Settings, State } from "../../src/domain/consensus/state.ts";
import { step } from "../../src/domain/consensus/step.ts";
import { ValidatorSet } from "../../src/domain/consensus/validator-set.ts";
import { signerOf, signVote, type Vote, type VoteStep } from "../../src/domain/consensus/vote.ts";
import { keyOf } from "./validators.ts";

export const GENESIS_REALM = sha256("test genesis");
/** Time of the genesis file, and the wall clock of every test, in Unix ms. */
export const GENESIS_TIME = Date.UTC(2030, 0, 1);
export const NOW = GENESIS_TIME + 10_000;

export const TEST_TIMING = {
  proposeMs: 300,
  voteMs: 150,
  growthMs: 50,
  emptyBlockMs: 1_000,
  toleranceMs: 500,
};

/** Keys of so many validators, in the order of their addresses. */
export function keysInOrder(count: number): readonly SecretKey[] {
  const keys = Array.from({ length: count }, (_, number) => keyOf(number));
  const address = (key: SecretKey): string => addressOfKey(key.publicKey);
  return keys.sort((a, b) => (address(a) < address(b) ? -1 : 1));
}

export type EffectOf<Type extends ConsensusEffect["type"]> = Extract<ConsensusEffect, { type: Type }>;
type MessageOf<Type extends ConsensusMessage["type"]> = Extract<ConsensusMessage, { type: Type }>;

export class ConsensusBench {
  readonly keys: readonly SecretKey[];
  readonly set: ValidatorSet;
  readonly settings: Settings;
  readonly input: HeightInput;
  state: State;
  /** Of the last event; at first of the start. */
  effects: readonly ConsensusEffect[] = [];

  /** `own`: place of the node's key in the order of addresses, or null for a node without one. */
  constructor(
    size: number,
    own: number | null,
    signState: SignState = NEW_SIGN_STATE,
    stored: readonly StoredBlock[] = [],
  ) {
    this.keys = keysInOrder(size);
    this.set = new ValidatorSet(this.keys.map(({ publicKey }) => publicKey));
    const key = own === null ? undefined : this.keys[own];
    this.settings = {
      chainId: "test",
      realm: GENESIS_REALM,
      signer: key ? { address: addressOfKey(key.publicKey), sign: signerOf(key) } : null,
      verify,
      timing: TEST_TIMING,
    };
    const parent = { hash: sha256Hex("test genesis"), time: GENESIS_TIME, commit: null };
    const set = this.set;
    this.input = { height: 1, validators: set, nextValidators: set, parent, maxBlockBytes: 10_000 };
    [this.state, this.effects] = resume(this.settings, this.input, signState, stored);
  }

  do(event: ConsensusEvent): readonly ConsensusEffect[] {
    [this.state, this.effects] = step(this.state, event);
    return this.effects;
  }

  hear(message: ConsensusMessage, now = NOW): readonly ConsensusEffect[] {
    return this.do({ type: "message.received", from: "peer", message, now });
  }

  /** Effects of one type, of the last event. */
  all<Type extends ConsensusEffect["type"]>(type: Type): readonly EffectOf<Type>[] {
    return this.effects.filter((effect): effect is EffectOf<Type> => effect.type === type);
  }

  /** Messages of one type that the last event sent. */
  sent<Type extends ConsensusMessage["type"]>(type: Type): readonly MessageOf<Type>[] {
    const messages = this.all("send").map(({ message }) => message);
    return messages.filter((message): message is MessageOf<Type> => message.type === type);
  }

  /** Votes that the last event sent, in words: `prevote 0 <hash or none>`. */
  votesSent(): readonly string[] {
    return this.sent("vote").map(({ vote }) => `${vote.step} ${vote.round} ${vote.block_hash ?? "none"}`);
  }

  address(index: number): string {
    return this.set.validators[index]?.address ?? "";
  }

  /** A block for the height under way, made by the proposer of `round` now, with some header members changed. */
  block(round = 0, changes: Partial<Header> = {}, transactions: readonly string[] = []): Block {
    const { input } = this.state;
    const zero = "0".repeat(64);
    const header = {
      ...frameOf(this.settings, input, this.set.proposer(input.height, round)),
      time: NOW,
      tx_root: textsRoot(transactions),
      results_root: zero,
      receipt_root: zero,
      state_root: zero,
      ...changes,
    };
    return { header, transactions, last_commit: input.parent.commit?.certificate ?? null };
  }

  /** The proposer's message for a round. */
  proposal(
    round: number,
    block: Block,
    valid_round = NO_ROUND,
    proof: Certificate | null = null,
  ): ProposalMessage {
    const { height } = this.state.input;
    const proposer = this.set.proposer(height, round);
    const key = this.keys[this.set.findIndex(proposer) ?? 0] ?? keyOf(0);
    const content = {
      v: 1,
      height,
      round,
      valid_round,
      block_hash: headerHash(block.header),
      proposer,
    } as const;
    return { type: "proposal", proposal: signProposal(content, GENESIS_REALM, signerOf(key)), block, proof };
  }

  vote(index: number, step: VoteStep, round: number, block_hash: string | null, height = 1): Vote {
    const validator = this.address(index);
    const content = { v: 1, height, round, step, block_hash, validator } as const;
    return signVote(content, GENESIS_REALM, signerOf(this.keys[index] ?? keyOf(0)));
  }

  /** Hears the votes of these validators; the last one's effects stay. */
  hearVotes(indexes: readonly number[], step: VoteStep, round: number, hash: string | null): void {
    for (const index of indexes) this.hear({ type: "vote", vote: this.vote(index, step, round, hash) });
  }

  /** A quorum's votes of these validators as a certificate. */
  certificate(indexes: readonly number[], step: VoteStep, round: number, block_hash: string): Certificate {
    const signatures = indexes.map((index) => {
      const { validator, signature } = this.vote(index, step, round, block_hash);
      return { validator, signature };
    });
    return { v: 1, height: 1, round, step, block_hash, signatures };
  }

  /** The ledger says that a block is valid, or is not. */
  validate(hash: string, valid = true): readonly ConsensusEffect[] {
    return this.do({ type: "block.validated", hash, valid });
  }

  /** Hears a proposal, and its block is valid. Returns its hash. */
  propose(round: number, block: Block, validRound = NO_ROUND, proof: Certificate | null = null): string {
    const hash = headerHash(block.header);
    this.hear(this.proposal(round, block, validRound, proof));
    if (this.all("validate_block").length > 0) this.validate(hash);
    return hash;
  }

  passTimeout(kind: "empty-block" | "propose" | "prevote" | "precommit", round: number): void {
    this.do({ type: "timeout.passed", timeout: { kind, height: 1, round } });
  }
}
