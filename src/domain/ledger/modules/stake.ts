import { readMembers } from "../../consensus/read.ts";
import { formatAit } from "../../pricing/amount.ts";
import { accountKey, debit, getAccount } from "../account.ts";
import { readAmount } from "../amount.ts";
import type { TransactionModule } from "../module.ts";

export type StakePayload = {
  /** µAIT, 1 or more. */
  readonly amount: string;
};

/** Reads `{amount}`, which STAKE and UNSTAKE have alike. */
export function readStakePayload(value: unknown, pointer: string): StakePayload {
  const { amount } = readMembers(value, pointer, ["amount"]);
  return { amount: readAmount(amount, `${pointer}/amount`, 1n) };
}

/** Moves money from the balance to the stake, where it can be slashed. */
export const stake: TransactionModule<"STAKE", StakePayload> = {
  type: "STAKE",
  readPayload: readStakePayload,
  explain: ({ amount }) => ({
    summary: `Lock ${formatAit(BigInt(amount))} of this account as stake. It burns if the account signs two blocks at one height.`,
    amount: BigInt(amount),
  }),
  apply({ amount }, sender, { draft }) {
    if (!debit(draft, sender, BigInt(amount))) return "INSUFFICIENT_FUNDS";
    const account = getAccount(draft, sender);
    draft.put(accountKey(sender), { ...account, stake: account.stake + BigInt(amount) });
    return "OK";
  },
};
