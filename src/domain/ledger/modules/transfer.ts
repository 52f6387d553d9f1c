import { readMembers } from "../../consensus/read.ts";
import { formatAit } from "../../pricing/amount.ts";
import { credit, debit, readHolder } from "../account.ts";
import { readAmount } from "../amount.ts";
import type { TransactionModule } from "../module.ts";

export type TransferPayload = {
  readonly to: string;
  /** µAIT, 1 or more. */
  readonly amount: string;
};

/** Moves money to another account, which it makes if need be. */
export const transfer: TransactionModule<"TRANSFER", TransferPayload> = {
  type: "TRANSFER",
  readPayload(value, pointer) {
    const { to, amount } = readMembers(value, pointer, ["to", "amount"]);
    return { to: readHolder(to, `${pointer}/to`), amount: readAmount(amount, `${pointer}/amount`, 1n) };
  },
  explain: ({ to, amount }) => ({
    summary: `Send ${formatAit(BigInt(amount))} to ${to}. Nobody can take it back.`,
    amount: BigInt(amount),
    recipient: to,
  }),
  apply({ to, amount }, sender, { draft }) {
    if (!debit(draft, sender, BigInt(amount))) return "INSUFFICIENT_FUNDS";
    credit(draft, to, BigInt(amount));
    return "OK";
  },
};
