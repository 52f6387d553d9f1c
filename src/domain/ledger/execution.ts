/** What a transaction is applied in, and what can come of it. */
import type { ValidatorSet } from "../consensus/validator-set.ts";
import type { Draft } from "./draft.ts";
import type { Params } from "./params.ts";

/** A block that is being applied. */
export interface Execution {
  readonly draft: Draft;
  /** Genesis hash: the realm of all that is signed for this chain. */
  readonly realm: Uint8Array;
  readonly chainId: string;
  readonly height: number;
  /** Header time, Unix ms. */
  readonly time: number;
  /** Address that the fees go to. */
  readonly proposer: string;
  /** In force at this height. */
  readonly params: Params;
  /** In force at this height. */
  readonly validators: ValidatorSet;
}

/** What becomes of an included transaction. All but OK have paid the fee and changed nothing else. */
export const RESULT_CODES = [
  "OK",
  "INSUFFICIENT_FUNDS",
  "INSUFFICIENT_STAKE",
  "TOO_MANY_UNBONDINGS",
  "NOT_A_VALIDATOR",
  "ALREADY_VOTED",
  "TOO_MANY_BALLOTS",
  "VALIDATOR_EXISTS",
  "VALIDATOR_UNKNOWN",
  "VALIDATORS_FULL",
  "LAST_VALIDATOR",
  "INVALID_EVIDENCE",
  "OFFENCE_KNOWN",
  "NO_FAUCET",
  "FAUCET_LIMIT",
  "ISSUE_LIMIT",
] as const;
export type ResultCode = (typeof RESULT_CODES)[number];
