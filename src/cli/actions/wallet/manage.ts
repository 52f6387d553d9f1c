import { formatTable, printResult } from "../../format.ts";
import { type Io, writeLine } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { openKeystore } from "./open.ts";
import {
  chooseFirstPassword,
  chooseNextPassword,
  type NewPasswordOptions,
  type PasswordOptions,
  readPassword,
} from "./secrets.ts";
import { briefOf, formatAccounts, formatWallet } from "./view.ts";

type UnlockOptions = GlobalOptions & PasswordOptions;

/** Makes a wallet with a recovery phrase of its own, which `export --phrase` shows. */
export async function createWallet(io: Io, walletId: string, options: UnlockOptions): Promise<void> {
  const keystore = await openKeystore(io, options);
  using password = await chooseFirstPassword(io, options);
  const wallet = await keystore.create({ walletId, password });
  writeLine(io.stderr, `keep the recovery phrase on paper: aitbc wallet export ${walletId} --phrase`);
  await printResult(io, options.output ?? "table", briefOf(wallet), () => formatWallet(wallet));
}

/** Lists the wallets of this machine. Files that cannot be read are named on stderr. */
export async function listWallets(io: Io, options: GlobalOptions): Promise<void> {
  const { wallets, damaged } = await (await openKeystore(io, options)).list();
  for (const walletId of damaged) writeLine(io.stderr, `the keystore file of ${walletId} cannot be read`);
  await printResult(io, options.output ?? "table", wallets.map(briefOf), () =>
    formatTable(
      ["wallet", "address", "accounts"],
      wallets.map(({ wallet_id, address, accounts }) => [wallet_id, address, accounts.length]),
    ),
  );
}

export async function printWallet(io: Io, walletId: string, options: GlobalOptions): Promise<void> {
  const wallet = await (await openKeystore(io, options)).get(walletId);
  await printResult(io, options.output ?? "table", wallet, () => formatWallet(wallet));
}

/** Prints the address of a wallet, alone, for scripts. */
export async function printAddress(io: Io, walletId: string, options: GlobalOptions): Promise<void> {
  const { address, public_key } = await (await openKeystore(io, options)).get(walletId);
  const value = { wallet_id: walletId, address, public_key };
  await printResult(io, options.output ?? "table", value, () => address);
}

export async function changePassword(
  io: Io,
  walletId: string,
  options: UnlockOptions & NewPasswordOptions,
): Promise<void> {
  const keystore = await openKeystore(io, options);
  using password = await readPassword(io, options);
  using newPassword = await chooseNextPassword(io, options);
  const wallet = await keystore.changePassword(walletId, password, newPassword);
  await printResult(io, options.output ?? "table", briefOf(wallet), () => {
    return `the password of ${walletId} was changed; backups keep the one that they were made with`;
  });
}

export async function deleteWallet(io: Io, walletId: string, options: UnlockOptions): Promise<void> {
  const keystore = await openKeystore(io, options);
  using password = await readPassword(io, options);
  await keystore.delete(walletId, password);
  const value = { wallet_id: walletId, deleted: true };
  await printResult(io, options.output ?? "table", value, () => `deleted ${walletId}`);
}

export interface AccountsOptions extends GlobalOptions, PasswordOptions {
  readonly add?: string | boolean;
  readonly watch?: string;
  readonly unwatch?: string;
  readonly rename?: string;
  readonly label?: string;
}

/** Lists the accounts of a wallet, after the change that was asked for. */
export async function manageAccounts(io: Io, walletId: string, options: AccountsOptions): Promise<void> {
  const { add, watch, unwatch, rename, label = "" } = options;
  const keystore = await openKeystore(io, options);
  if (add || watch !== undefined || unwatch !== undefined || rename !== undefined) {
    using password = await readPassword(io, options);
    if (add) await keystore.addAccount(walletId, password, label);
    if (watch !== undefined) await keystore.watch(walletId, password, watch, label);
    if (unwatch !== undefined) await keystore.unwatch(walletId, password, unwatch);
    if (rename !== undefined) await keystore.setLabel(walletId, password, rename, label);
  }
  const { accounts } = await keystore.get(walletId);
  await printResult(io, options.output ?? "table", accounts, () => formatAccounts(accounts));
}
