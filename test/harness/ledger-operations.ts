/** Random operations on a small chain: the same seed makes the same ones. */
import { findVoteEvidence } from "../../src/domain/consensus/evidence.ts";
import { signerOf, signVote, type VoteContent } from "../../src/domain/consensus/vote.ts";
import { accountKey } from "../../src/domain/ledger/account.ts";
import { type Chain, type Head, rulesAbove } from "../../src/domain/ledger/block.ts";
import type { Genesis } from "../../src/domain/ledger/genesis.ts";
import type { ParamsJson } from "../../src/domain/ledger/params.ts";
import type { Payloads, TransactionType } from "../../src/domain/ledger/registry.ts";
import { attachSignature, buildTransaction } from "../../src/domain/ledger/signing.ts";
import { parseTransaction, type Transaction } from "../../src/domain/ledger/transaction.ts";
import { fund, genesisOf, type Person, person } from "./ledger.ts";

/** Numbers from 0 to 1 (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const PEOPLE = Array.from({ length: 10 }, (_, index) => person(`person ${index}`));
/** The first ones of the people. */
const VALIDATORS = 4;
/** Stands for a signature: applying does not look at it. */
const NO_SIGNATURE = new Uint8Array(64).fill(1);

/** A chain of ten people, four of whom are validators, with little money, short times and a faucet. */
export function operationsGenesis(): Genesis {
  const accounts = PEOPLE.map((each, index) => fund(each, BigInt(index) * 50_000n, index < 3 ? 9_999n : 0n));
  return genesisOf(PEOPLE.slice(0, VALIDATORS), accounts, {
    unbonding_seconds: 20,
    ballot_seconds: 60,
    equivocation_slash_ppm: 333_333,
    faucet_max_uait: 60_000n,
  });
}

type Operation = {
  readonly [Type in TransactionType]: readonly [type: Type, payload: Payloads[Type]];
}[TransactionType];

export class Operations {
  readonly #random: () => number;
  readonly #chain: Chain;

  constructor(chain: Chain, seed: number) {
    this.#chain = chain;
    this.#random = randomOf(seed);
  }

  /** A whole number from 0 on, below a limit. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** Transactions for the block above a head; most can be included, and some of those fail. */
  list(head: Head, count: number): Transaction[] {
    const nonces = new Map<string, number>();
    return Array.from({ length: count }, () => {
      const sender = this.#pick(this.#random() < 0.4 ? PEOPLE.slice(0, VALIDATORS) : PEOPLE);
      const nonce =
        nonces.get(sender.address) ?? (head.state.find(accountKey(sender.address))?.nonce ?? 0) + 1;
      nonces.set(sender.address, nonce + 1);
      return this.#sign(head, sender, this.#operation(head, sender), nonce);
    });
  }

  /** Address of the one who makes the next block. */
  proposer(head: Head): string {
    return this.#pick(rulesAbove(head).validators.validators).address;
  }

  #sign(head: Head, { publicKey }: Person, [type, payload]: Operation, nonce: number): Transaction {
    const off = this.#random() < 0.02 ? this.below(3) - 1 : 0;
    const request = {
      chainId: this.#chain.chainId,
      type,
      payload,
      nonce: Math.max(1, nonce + off),
      signer: { public_key: publicKey },
    };
    const built = buildTransaction(request, rulesAbove(head).params);
    const change = this.#random() < 0.05 && type !== "EVIDENCE" ? BigInt(this.below(40) - 10) : 0n;
    const fee = BigInt(built.fee) + change;
    return parseTransaction(attachSignature({ ...built, fee: String(fee > 0n ? fee : 0n) }, NO_SIGNATURE));
  }

  #operation(head: Head, sender: Person): Operation {
    const kind = this.#random();
    const [to, amount] = [this.#pick(PEOPLE), this.#amount(head, sender)];
    if (kind < 0.4) return ["TRANSFER", { to: to.address, amount }];
    if (kind < 0.52) return ["STAKE", { amount }];
    if (kind < 0.7) return ["UNSTAKE", { amount: String(1 + this.below(300)) }];
    if (kind < 0.76) return ["FAUCET", { to: to.address, amount }];
    if (kind < 0.86) {
      // Mostly to remove, since a set of one needs one vote to grow and a large one many to shrink.
      const action = this.#random() < 0.4 ? "add" : "remove";
      return ["VALIDATOR_VOTE", { action, public_key: this.#pick(PEOPLE.slice(0, 6)).publicKey }];
    }
    if (kind < 0.98) return ["PARAM_UPDATE", { changes: this.#changes() }];
    return ["EVIDENCE", { evidence: this.#evidence(head) }];
  }

  /** Mostly little, sometimes about all or more than all that there is. */
  #amount(head: Head, { address }: Person): string {
    const kind = this.#random();
    const balance = Number(head.state.find(accountKey(address))?.balance ?? 0n);
    if (kind < 0.7) return String(1 + this.below(2000));
    return String(Math.max(1, balance - 400 + this.below(300)));
  }

  #changes(): Partial<ParamsJson> {
    const kind = this.below(4);
    if (kind === 0) return { base_fee_uait: String(this.below(20)) };
    if (kind === 1) return { unbonding_seconds: this.below(3) * 20 };
    if (kind === 2) return { equivocation_slash_ppm: this.below(3) * 500_000 };
    return { fee_per_byte_uait: String(this.below(2)), ballot_seconds: 60 };
  }

  /** Of a height around the head's, by somebody who may be a validator. */
  #evidence({ height }: Head): Payloads["EVIDENCE"]["evidence"] {
    const { key, address } = this.#pick(PEOPLE.slice(0, 7));
    const vote = (fill: string) => {
      const content: VoteContent = {
        v: 1,
        height: Math.max(1, height + 4 - this.below(8)),
        round: 0,
        step: "prevote",
        block_hash: fill.repeat(64),
        validator: address,
      };
      return content;
    };
    const first = vote("a");
    const second = { ...first, block_hash: "b".repeat(64) };
    const { realm } = this.#chain;
    const found = findVoteEvidence(
      signVote(first, realm, signerOf(key)),
      signVote(second, realm, signerOf(key)),
    );
    if (!found) throw new Error("the votes contradict each other");
    return found;
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("there is nothing to pick");
    return item;
  }
}
