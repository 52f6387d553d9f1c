import { formatAit } from "../../pricing/amount.ts";
import { accountKey, getAccount, MAX_UNBONDING, type Unbonding } from "../account.ts";
import type { TransactionModule } from "../module.ts";
import { readStakePayload, type StakePayload } from "./stake.ts";

const MS_PER_SECOND = 1000;

/** Takes money out of the stake; it is in the balance after the unbonding time, by header time. */
export const unstake: TransactionModule<"UNSTAKE", StakePayload> = {
  type: "UNSTAKE",
  readPayload: readStakePayload,
  explain: ({ amount }) => ({
    summary: `Unlock ${formatAit(BigInt(amount))} of this account's stake. It can be used when the chain's unbonding time is over, and can burn until then.`,
    amount: 0n,
  }),
  apply({ amount }, sender, { draft, time, params }) {
    const account = getAccount(draft, sender);
    if (account.stake < BigInt(amount)) return "INSUFFICIENT_STAKE";
    const maturesAt = time + params.unbonding_seconds * MS_PER_SECOND;
    const unbonding = withUnbonding(account.unbonding, { amount: BigInt(amount), maturesAt });
    if (unbonding.length > MAX_UNBONDING) return "TOO_MANY_UNBONDINGS";
    draft.put(accountKey(sender), { ...account, stake: account.stake - BigInt(amount), unbonding });
    return "OK";
  },
};

/** By time of maturity, one part each; the parameter may have changed, so a later one can mature first. */
function withUnbonding(unbonding: readonly Unbonding[], added: Unbonding): readonly Unbonding[] {
  const same = unbonding.find(({ maturesAt }) => maturesAt === added.maturesAt);
  const others = unbonding.filter((each) => each !== same);
  const merged = { maturesAt: added.maturesAt, amount: added.amount + (same?.amount ?? 0n) };
  return [...others, merged].sort((a, b) => a.maturesAt - b.maturesAt);
}
