/** Says in plain words what a transaction does, before somebody signs it. */
import { formatAit } from "../pricing/amount.ts";
import type { TransactionContent } from "./transaction.ts";

/** Amounts in µAIT. */
export interface TransactionExplanation {
  readonly type: string;
  readonly sender: string;
  /** Address that the amount goes to, where it is not the sender's own. */
  readonly recipient: string | undefined;
  /** What leaves the sender's balance besides the fee, at most. */
  readonly amount: bigint;
  readonly fee: bigint;
  /** Amount and fee: the most that it can cost. */
  readonly most: bigint;
  /** For people, most important first. */
  readonly lines: readonly string[];
}

/** Explains a transaction, signed or not. */
export function explainTransaction(content: TransactionContent): TransactionExplanation {
  const { module, payload, sender, fee, nonce, chainId, keys, threshold } = content;
  const { summary, amount, recipient } = module.explain(payload);
  const most = amount + fee;
  const signatures =
    keys.length > 1 ? ` It needs the signatures of ${threshold} of ${keys.length} keys.` : "";
  return {
    type: module.type,
    sender,
    recipient,
    amount,
    fee,
    most,
    lines: [
      summary,
      `From ${sender}, as its transaction number ${nonce} on the chain ${chainId}.${signatures}`,
      fee === 0n
        ? "There is no fee."
        : `The fee is ${formatAit(fee)}; it is paid even if the transaction fails.`,
      `The most it can cost is ${formatAit(most)}.`,
    ],
  };
}
