import { WalletConfig } from "./config.ts";
import { walletMigrations } from "./migrations/index.ts";

export type { FileKeystore } from "./keystore/file-keystore.ts";
export type { Account, NewSecret, Wallet } from "./keystore/keystore.ts";
export type { ReceiptSource, WalletDeps } from "./ports.ts";
export type { WalletRole } from "./role.ts";
export type { WalletTables } from "./tables.ts";
export { WalletConfig };

/** The wallet: keystore, unlock sessions, signing, and receipts with what they are worth. */
export const wallet = {
  name: "wallet",
  config: WalletConfig,
  migrations: walletMigrations,
  /** Its code: a daemon without the role, and every other command, does without it. */
  load: () => import("./role.ts"),
  /** What the process that holds keys needs, and a command that signs by itself. */
  loadOffline: () => import("./offline.ts"),
} as const;
