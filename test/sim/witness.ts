/** Sees everything that honest nodes say and decide, and finds what must never be. */
import { votesOf } from "../../src/domain/consensus/ballots.ts";
import type { FinalBlock } from "../../src/domain/consensus/block.ts";
import { type Evidence, offenceOf, verifyEvidence } from "../../src/domain/consensus/evidence.ts";
import type { ConsensusMessage } from "../../src/domain/consensus/message.ts";
import type { Verify, Vote } from "../../src/domain/consensus/vote.ts";
import { addressOf, keyOf } from "../harness/validators.ts";
import { GENESIS } from "./chain.ts";

function votesIn(message: ConsensusMessage): readonly Vote[] {
  if (message.type === "vote") return [message.vote];
  const proof = message.type === "proof" ? message.certificate : null;
  const certificate = message.type === "proposal" ? message.proof : proof;
  return certificate ? votesOf(certificate) : [];
}

export class Witness {
  readonly findings: string[] = [];
  /** Pieces of evidence that were reported, by offence. */
  readonly offences = new Set<string>();
  readonly #verify: Verify;
  readonly #faultyAddress: string | undefined;
  readonly #faultyKey: number;
  readonly #finalHashes: string[] = [];
  readonly #said = new Map<string, string>();
  /** Who prevoted a block in a round. */
  readonly #prevoters = new Map<string, Set<string>>();
  /** What honest validators last precommitted at a height. */
  readonly #locks = new Map<string, { readonly round: number; readonly hash: string }>();

  constructor(verify: Verify, faultyKey: number | undefined) {
    this.#verify = verify;
    this.#faultyKey = faultyKey ?? 0;
    this.#faultyAddress = faultyKey === undefined ? undefined : addressOf(faultyKey);
  }

  /** Greatest height that somebody honest holds final. */
  get height(): number {
    return Math.max(0, this.#finalHashes.length - 1);
  }

  find(finding: string): void {
    this.findings.push(finding);
  }

  /** Never two conflicting final blocks. */
  noteFinal(id: string, { block, certificate }: FinalBlock): void {
    const { height } = block.header;
    const known = this.#finalHashes[height];
    this.#finalHashes[height] ??= certificate.block_hash;
    if (known !== undefined && known !== certificate.block_hash) {
      this.find(`conflicting final blocks at height ${height}, seen by ${id}`);
    }
  }

  /** Every vote that is sent, by itself or within a proof: the faulty one may show some in no other way. */
  noteVotes(message: ConsensusMessage): void {
    for (const { height, round, step, block_hash, validator } of votesIn(message)) {
      if (step !== "prevote") continue;
      const name = `${height}/${round} ${block_hash}`;
      const voters = this.#prevoters.get(name) ?? new Set();
      this.#prevoters.set(name, voters.add(validator));
    }
  }

  /** An honest validator says one thing for each step, also after a crash, and keeps to its lock. */
  noteSaid(message: ConsensusMessage, address: string, quorumAt: (height: number) => number): void {
    if (message.type === "vote" && message.vote.validator === address) {
      const { height, round, step, block_hash } = message.vote;
      this.#noteSaid(`${address} ${height}/${round}/${step}`, `${block_hash}`);
      this.#checkLock(message.vote, quorumAt(height));
    }
    if (message.type === "proposal" && message.proposal.proposer === address) {
      const { height, round, block_hash, valid_round } = message.proposal;
      this.#noteSaid(`${address} ${height}/${round}/propose`, `${block_hash} ${valid_round}`);
    }
  }

  #noteSaid(place: string, content: string): void {
    const before = this.#said.get(place);
    this.#said.set(place, content);
    if (before !== undefined && before !== content)
      this.find(`an honest validator said two things: ${place}`);
  }

  /** Who precommitted a block prevotes another one only after a quorum prevoted that, in that round or a later one. */
  #checkLock({ height, round, step, block_hash, validator }: Vote, quorum: number): void {
    if (block_hash === null) return;
    const name = `${validator} ${height}`;
    const lock = this.#locks.get(name);
    if (step === "precommit") {
      if (round > (lock?.round ?? -1)) this.#locks.set(name, { round, hash: block_hash });
      return;
    }
    if (!lock || lock.hash === block_hash || lock.round >= round) return;
    for (let earlier = lock.round; earlier < round; earlier++) {
      if ((this.#prevoters.get(`${height}/${earlier} ${block_hash}`)?.size ?? 0) >= quorum) return;
    }
    this.find(`an honest validator forgot its lock: ${name}/${round}`);
  }

  /** Evidence is true, and about the faulty one. */
  noteEvidence(id: string, evidence: Evidence): void {
    const { validator, height, round, step } = offenceOf(evidence);
    this.offences.add(`${height}/${round}/${step}`);
    const isTrue =
      validator === this.#faultyAddress &&
      verifyEvidence(evidence, GENESIS, keyOf(this.#faultyKey).publicKey, this.#verify);
    if (!isTrue) this.find(`${id} reports evidence against ${validator} that proves nothing`);
  }
}
