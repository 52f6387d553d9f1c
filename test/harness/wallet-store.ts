import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Database, openDatabase } from "../../src/kernel/db/database.ts";
import { migrate } from "../../src/kernel/db/migrate.ts";
import { walletMigrations } from "../../src/roles/wallet/migrations/index.ts";
import type { WalletTables } from "../../src/roles/wallet/tables.ts";
import { freshDirectory } from "./database.ts";

/** A real database with the wallet's tables, closed and removed with the test. */
export async function openWalletStore(): Promise<Database<WalletTables>> {
  const database = openDatabase<WalletTables>({
    path: join(freshDirectory(), "wallet.db"),
    onFatal: (error) => {
      throw error;
    },
  });
  onTestFinished(() => database[Symbol.asyncDispose]());
  await migrate(database, walletMigrations);
  return database;
}
