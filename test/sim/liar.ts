/** A validator that says different things to different peers, holds back, votes without locks and sends garbage. */
import { type Block, textsRoot } from "../../src/domain/consensus/block.ts";
import { headerHash } from "../../src/domain/consensus/header.ts";
import type { ConsensusMessage, ProposalMessage } from "../../src/domain/consensus/message.ts";
import { NO_ROUND, signProposal } from "../../src/domain/consensus/proposal.ts";
import { type Sign, signVote, VOTE_STEPS, type Vote } from "../../src/domain/consensus/vote.ts";
import { GENESIS } from "./chain.ts";
import { carried } from "./codec.ts";
import type { Random } from "./random.ts";

/** Block hashes that it has seen and may vote for at any time. */
const MAX_HASHES = 8;
/** An hour, in ms: no clock believes a block that is so far ahead. */
const FAR_MS = 3_600_000;

export class Liar {
  readonly #address: string;
  readonly #sign: Sign;
  readonly #now: () => number;
  readonly #random: Random;
  readonly #hashes: string[] = [];
  /** What it proposed at spoiled heights, by height and round. */
  readonly #spoils = new Map<string, ProposalMessage>();

  constructor(address: string, sign: Sign, now: () => number, random: Random) {
    this.#now = now;
    this.#address = address;
    this.#sign = sign;
    this.#random = random;
  }

  /** What it sends to one peer where an honest node would send `message`. */
  says(message: ConsensusMessage): readonly ConsensusMessage[] {
    const isOwnVote = message.type === "vote" && message.vote.validator === this.#address;
    const isOwnProposal = message.type === "proposal" && message.proposal.proposer === this.#address;
    if (isSpoiled(heightOf(message))) {
      if (isOwnVote) return [this.#spoilingVote(message.vote)];
      return [isOwnProposal ? this.#spoilingProposal(message) : message];
    }
    if (this.#random.chance(15)) return [];
    if (this.#random.chance(10)) return this.#garbage(message);
    if (isOwnVote && this.#random.chance(50)) return [this.#otherVote(message.vote)];
    if (isOwnProposal && this.#random.chance(50)) return [this.#otherProposal(message)];
    if (message.type === "status" && this.#random.chance(30)) {
      return [{ ...message, round: this.#random.between(0, 9), prevotes: "", precommits: "" }];
    }
    return [message];
  }

  /** It votes for whatever it sees, whatever it voted for before: it has no locks. */
  hears(message: ConsensusMessage): readonly ConsensusMessage[] {
    if (message.type !== "proposal" || isSpoiled(message.proposal.height)) return [];
    const { height, round, block_hash } = message.proposal;
    this.#hashes.push(block_hash);
    if (this.#hashes.length > MAX_HASHES) this.#hashes.shift();
    if (this.#random.chance(40)) return [];
    return VOTE_STEPS.map((step) => ({ type: "vote", vote: this.#vote(height, round, step, block_hash) }));
  }

  /** For its own blocks, against everybody else's. */
  #spoilingVote({ height, round, step }: Vote): ConsensusMessage {
    const own = this.#spoils.get(`${height}/${round}`)?.proposal.block_hash ?? null;
    return { type: "vote", vote: this.#vote(height, round, step, own) };
  }

  /** A block of its own, the same for all: as a fresh one, or as if a quorum had prevoted it before. */
  #spoilingProposal(message: ProposalMessage): ConsensusMessage {
    const { height, round } = message.proposal;
    const name = `${height}/${round}`;
    const validRound = this.#random.chance(50) ? round - 1 : NO_ROUND;
    const block = at(message.block, this.#now());
    const spoil = this.#spoils.get(name) ?? this.#propose(message, block, validRound);
    this.#spoils.set(name, spoil);
    return spoil;
  }

  #vote(height: number, round: number, step: Vote["step"], block_hash: string | null): Vote {
    const content = { v: 1, height, round, step, block_hash, validator: this.#address } as const;
    return signVote(content, GENESIS, this.#sign);
  }

  #otherVote({ height, round, step, block_hash }: Vote): ConsensusMessage {
    const hashes = [null, ...this.#hashes].filter((hash) => hash !== block_hash);
    const isFuture = this.#random.chance(10);
    const other = isFuture ? round + this.#random.between(1, 1_000_000) : round;
    const hash = hashes.length > 0 ? this.#random.pick(hashes) : headerless();
    return { type: "vote", vote: this.#vote(height, other, step, hash) };
  }

  /** Another block in the same round: with another time, one that is far ahead, or with roots that are false. */
  #otherProposal(message: ProposalMessage): ConsensusMessage {
    const { block } = message;
    const { time } = block.header;
    const other = this.#random.pick([at(block, time + 1), at(block, time + FAR_MS), falsified(block)]);
    return this.#propose(message, other, NO_ROUND);
  }

  #propose(message: ProposalMessage, { header, ...rest }: Block, valid_round: number): ProposalMessage {
    const { height, round } = message.proposal;
    const proposer = this.#address;
    const block = { ...rest, header: { ...header, proposer } };
    const content = {
      v: 1,
      height,
      round,
      valid_round,
      block_hash: headerHash(block.header),
      proposer,
    } as const;
    return { type: "proposal", proposal: signProposal(content, GENESIS, this.#sign), block, proof: null };
  }

  /** The message with one bit flipped somewhere: most are refused when they are read. */
  #garbage(message: ConsensusMessage): readonly ConsensusMessage[] {
    const damaged = carried(message, (text) => {
      const at = this.#random.between(0, text.length - 1);
      const code = text.charCodeAt(at) ^ (1 << this.#random.between(0, 6));
      return text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
    });
    return damaged ? [damaged] : [];
  }
}

/** At two heights of three it spoils what others propose; at the others it does whatever comes to its mind. */
const isSpoiled = (height: number): boolean => height % 3 !== 0;

function heightOf(message: ConsensusMessage): number {
  if (message.type === "vote") return message.vote.height;
  return message.type === "proposal" ? message.proposal.height : 0;
}

const headerless = (): string => textsRoot(["no block has this hash"]);

function at(block: Block, time: number): Block {
  return { ...block, header: { ...block.header, time } };
}

function falsified(block: Block): Block {
  return { ...block, header: { ...block.header, state_root: textsRoot(["false"]) } };
}
