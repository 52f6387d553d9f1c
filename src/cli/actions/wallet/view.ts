import type { Account, Wallet } from "../../../roles/wallet/index.ts";
import { formatRecord, formatTable } from "../../format.ts";

/** What `create`, `import` and `restore` answer with. */
export function briefOf({ wallet_id, public_key, address }: Wallet) {
  return { wallet_id, public_key, address };
}

/** A wallet for people, with its accounts. */
export function formatWallet(wallet: Wallet): string {
  const record = formatRecord([
    ["wallet", wallet.wallet_id],
    ["address", wallet.address],
    ["public key", wallet.public_key],
    ["made from", wallet.secret === "phrase" ? "a recovery phrase" : "a raw key"],
    ["created", wallet.created_at],
    ["metadata", Object.keys(wallet.metadata).length === 0 ? undefined : wallet.metadata],
  ]);
  return `${record}\n\n${formatAccounts(wallet.accounts)}`;
}

export function formatAccounts(accounts: readonly Account[]): string {
  return formatTable(
    ["address", "kind", "path", "label"],
    accounts.map(({ address, kind, path, label }) => [address, kind, path, label]),
  );
}
