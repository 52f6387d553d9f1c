import { readMembers } from "../../consensus/read.ts";
import { formatAit } from "../../pricing/amount.ts";
import { credit, readHolder } from "../account.ts";
import { readAmount } from "../amount.ts";
import { mint } from "../issue.ts";
import type { TransactionModule } from "../module.ts";
import type { TransferPayload } from "./transfer.ts";

/** Makes money, on chains whose genesis file allows it: for development. Validators alone can. */
export const faucet: TransactionModule<"FAUCET", TransferPayload> = {
  type: "FAUCET",
  readPayload(value, pointer) {
    const { to, amount } = readMembers(value, pointer, ["to", "amount"]);
    return { to: readHolder(to, `${pointer}/to`), amount: readAmount(amount, `${pointer}/amount`, 1n) };
  },
  explain: ({ to, amount }) => ({
    summary: `Make ${formatAit(BigInt(amount))} for ${to}, on a chain for development.`,
    amount: 0n,
    recipient: to,
  }),
  apply({ to, amount }, sender, { draft, params, validators }) {
    if (params.faucet_max_uait === 0n) return "NO_FAUCET";
    if (!validators.has(sender)) return "NOT_A_VALIDATOR";
    if (BigInt(amount) > params.faucet_max_uait) return "FAUCET_LIMIT";
    if (!mint(draft, BigInt(amount))) return "ISSUE_LIMIT";
    credit(draft, to, BigInt(amount));
    return "OK";
  },
};
