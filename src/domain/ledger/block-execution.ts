import type { ValidatorSet } from "../consensus/validator-set.ts";
import { Draft } from "./draft.ts";
import { executeTransaction, type Refusal, type TransactionResult } from "./execute.ts";
import type { Execution } from "./execution.ts";
import type { Params } from "./params.ts";
import { advance, PARAMS_KEY, VALIDATORS_KEY } from "./schedule.ts";
import type { LedgerState } from "./state.ts";
import type { Transaction } from "./transaction.ts";

/** What a block's transactions came to. */
export interface BlockOutcome {
  /** State after the block. */
  readonly state: LedgerState;
  readonly results: readonly TransactionResult[];
  /** Roots of receipts that the block anchors: `receipt_root` commits to them. No type of transaction has any. */
  readonly receipts: readonly string[];
}

/** One block over the head of a chain, transaction by transaction. */
export class BlockExecution {
  readonly #execution: Execution;
  readonly #results: TransactionResult[] = [];

  constructor(
    chain: { readonly chainId: string; readonly realm: Uint8Array },
    head: { readonly height: number; readonly state: LedgerState },
    { time, proposer }: { readonly time: number; readonly proposer: string },
  ) {
    const draft = new Draft(head.state);
    this.#execution = {
      ...chain,
      draft,
      height: head.height + 1,
      time,
      proposer,
      params: advance(draft, PARAMS_KEY),
      validators: advance(draft, VALIDATORS_KEY),
    };
  }

  /** Parameters in force in this block. */
  get params(): Params {
    return this.#execution.params;
  }

  /** Validators that decide this block. */
  get validators(): ValidatorSet {
    return this.#execution.validators;
  }

  /** Applies a transaction whose signatures hold; or says why it cannot be part of this block. */
  add(transaction: Transaction): Refusal | undefined {
    const outcome = executeTransaction(transaction, this.#execution);
    if (!outcome.included) return outcome.refusal;
    this.#results.push(outcome.result);
    return undefined;
  }

  finish(): BlockOutcome {
    return { state: this.#execution.draft.commit(), results: this.#results, receipts: [] };
  }
}
