import type { Migration } from "../../../kernel/db/migrate.ts";
import { up as daemon } from "./0001-daemon.ts";

/** The wallet's migrations, in order. A released one is never changed. */
export const walletMigrations: readonly Migration[] = [{ name: "wallet-0001-daemon", up: daemon }];
