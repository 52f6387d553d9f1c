import type { Execution, ResultCode } from "./execution.ts";

/** A transaction's payload in plain words. */
export interface Explanation {
  /** What it does: one sentence. */
  readonly summary: string;
  /** µAIT that leave the sender's balance besides the fee, at most. */
  readonly amount: bigint;
  /** Address that the amount goes to, where it is not the sender's own. */
  readonly recipient?: string;
}

/**
 * One type of transaction: all that the ledger knows of it. `registry.ts` lists them; a new type is a new module
 * there, and new kinds of entries in `kinds.ts` where it keeps something in the state.
 */
export interface TransactionModule<Type extends string = string, Payload = unknown> {
  readonly type: Type;
  /** It has no fee, and is included only if it succeeds. */
  readonly feeFree?: true;
  /** Reads a payload from parsed JSON, with exactly its members. Throws INVALID_PAYLOAD. */
  readPayload(value: unknown, pointer: string): Payload;
  explain(payload: Payload): Explanation;
  /**
   * Changes the draft. Whatever it wrote is taken back when the answer is not OK, so it need not look before it
   * writes. `sender` has paid the fee.
   */
  apply(payload: Payload, sender: string, execution: Execution): ResultCode;
}
