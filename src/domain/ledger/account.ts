/** Accounts: what an address holds. */

import { findAddress } from "../../crypto/address.ts";
import type { Canonicalizable } from "../../crypto/canonical-json.ts";
import { readInteger, readList, readMembers, refuse } from "../consensus/read.ts";
import { readAmount, sum } from "./amount.ts";
import type { Draft } from "./draft.ts";
import { type EntryKey, type EntryKind, entryKey } from "./entry.ts";

/** Stake on its way back to the balance. */
export interface Unbonding {
  readonly amount: bigint;
  /** Header time (Unix ms) from which on it belongs to the balance. */
  readonly maturesAt: number;
}

/** Amounts in µAIT. */
export interface Account {
  readonly balance: bigint;
  /** Number of the account's transactions so far; the next one has this plus one. */
  readonly nonce: number;
  readonly stake: bigint;
  /** By the time at which they mature, each time once. */
  readonly unbonding: readonly Unbonding[];
}

/** Returns of stake that an account may wait for at a time: they are part of its entry, which must stay small. */
export const MAX_UNBONDING = 8;

const NO_ACCOUNT: Account = { balance: 0n, nonce: 0, stake: 0n, unbonding: [] };

export const ACCOUNT: EntryKind<Account> = {
  namespace: "account",
  holds: ({ balance, stake, unbonding }) =>
    unbonding.length === 0 ? balance + stake : balance + stake + sum(unbonding.map(({ amount }) => amount)),
  toJson({ balance, nonce, stake, unbonding }) {
    return {
      balance: String(balance),
      nonce,
      stake: String(stake),
      ...(unbonding.length > 0 && { unbonding: unbonding.map(unbondingToJson) }),
    };
  },
  read(json, pointer) {
    const members = readMembers(json, pointer, ["balance", "nonce", "stake", "unbonding"], ["unbonding"]);
    const amount = (name: "balance" | "stake"): bigint =>
      BigInt(readAmount(members[name], `${pointer}/${name}`));
    return {
      balance: amount("balance"),
      nonce: readInteger(members.nonce, `${pointer}/nonce`),
      stake: amount("stake"),
      unbonding: readList(members.unbonding ?? [], `${pointer}/unbonding`, MAX_UNBONDING, readUnbonding),
    };
  },
};

function unbondingToJson({ amount, maturesAt }: Unbonding): Canonicalizable {
  return { amount: String(amount), matures_at: maturesAt };
}

function readUnbonding(json: unknown, pointer: string): Unbonding {
  const members = readMembers(json, pointer, ["amount", "matures_at"]);
  return {
    amount: BigInt(readAmount(members.amount, `${pointer}/amount`, 1n)),
    maturesAt: readInteger(members.matures_at, `${pointer}/matures_at`),
  };
}

/** Key of an address's account. */
export function accountKey(address: string): EntryKey<Account> {
  return entryKey(ACCOUNT, address);
}

/** The account of an address; one that nobody has paid to yet is empty. */
export function getAccount(state: Pick<Draft, "find">, address: string): Account {
  return state.find(accountKey(address)) ?? NO_ACCOUNT;
}

/** The account with matured stake in its balance. */
export function release(account: Account, time: number): Account {
  const matured = account.unbonding.filter(({ maturesAt }) => maturesAt <= time);
  if (matured.length === 0) return account;
  return {
    ...account,
    balance: account.balance + sum(matured.map(({ amount }) => amount)),
    unbonding: account.unbonding.slice(matured.length),
  };
}

/** Adds to an address's balance. */
export function credit(draft: Draft, address: string, amount: bigint): void {
  const account = getAccount(draft, address);
  draft.put(accountKey(address), { ...account, balance: account.balance + amount });
}

/** Takes from an address's balance; false, and nothing is done, where it holds less. */
export function debit(draft: Draft, address: string, amount: bigint): boolean {
  const account = getAccount(draft, address);
  if (account.balance < amount) return false;
  draft.put(accountKey(address), { ...account, balance: account.balance - amount });
  return true;
}

/** Reads the address of somebody who holds keys; money sent to a module's address would be lost. */
export function readHolder(value: unknown, pointer: string): string {
  const type = typeof value === "string" ? findAddress(value)?.type : undefined;
  if (typeof value === "string" && (type === "key" || type === "multisig")) return value;
  return refuse(pointer, "the address of a key or a multisig account");
}
