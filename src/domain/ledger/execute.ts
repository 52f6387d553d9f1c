/** Applies one transaction to a block that is being applied. */
import { accountKey, credit, getAccount, release } from "./account.ts";
import type { Execution, ResultCode } from "./execution.ts";
import { minimumFee } from "./signing.ts";
import type { Transaction } from "./transaction.ts";

/** Why a transaction cannot be part of a block: nobody would pay for it. */
export type Refusal =
  | "WRONG_CHAIN"
  | "NONCE_USED"
  | "NONCE_TOO_HIGH"
  | "FEE_TOO_LOW"
  | "CANNOT_PAY_FEE"
  | Exclude<ResultCode, "OK">;

/** What a block's `results_root` commits to, for each transaction. */
export type TransactionResult = {
  /** Hash of the transaction. */
  readonly tx_hash: string;
  readonly code: ResultCode;
  /** µAIT that the sender paid, decimal. */
  readonly fee: string;
};

export type Outcome =
  | { readonly included: true; readonly result: TransactionResult }
  | { readonly included: false; readonly refusal: Refusal };

/**
 * Applies a transaction whose signatures hold. It is included if it can be charged; then it pays its fee, uses
 * its nonce, and, where it fails, changes nothing else. A fee-free one is included only if it succeeds. Where it
 * is not included, nothing changes.
 */
export function executeTransaction(transaction: Transaction, execution: Execution): Outcome {
  const refusal = findRefusal(transaction, execution);
  if (refusal) return { included: false, refusal };
  const { draft } = execution;
  const { module, payload, sender, fee, hash } = transaction;
  const untouched = draft.mark();
  charge(transaction, execution);
  const charged = draft.mark();
  const code = module.apply(payload, sender, execution);
  if (code !== "OK") {
    draft.rollback(module.feeFree ? untouched : charged);
    if (module.feeFree) return { included: false, refusal: code };
  }
  return { included: true, result: { tx_hash: hash, code, fee: String(fee) } };
}

/** Why a transaction cannot be charged at this point of the block, or undefined. */
function findRefusal(transaction: Transaction, execution: Execution): Refusal | undefined {
  const { chainId, sender, nonce, fee, module, text } = transaction;
  if (chainId !== execution.chainId) return "WRONG_CHAIN";
  const account = release(getAccount(execution.draft, sender), execution.time);
  if (nonce <= account.nonce) return "NONCE_USED";
  if (nonce > account.nonce + 1) return "NONCE_TOO_HIGH";
  if (!module.feeFree && fee < minimumFee(execution.params, text.length)) return "FEE_TOO_LOW";
  return account.balance < fee ? "CANNOT_PAY_FEE" : undefined;
}

/** Fee and nonce; stake that has matured comes back on this occasion. */
function charge({ sender, nonce, fee }: Transaction, { draft, time, proposer }: Execution): void {
  const account = release(getAccount(draft, sender), time);
  draft.put(accountKey(sender), { ...account, nonce, balance: account.balance - fee });
  if (fee > 0n) credit(draft, proposer, fee);
}
