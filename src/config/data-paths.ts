import { join } from "node:path";
import type { Config } from "./schema.ts";

/** Where a daemon, and the commands of its owner, keep their files inside the data directory. */
export function dataPaths(dataDir: string) {
  return {
    keyFile: (kind: "admin" | "client" | "miner"): string => join(dataDir, "keys", `${kind}.key`),
    coordinatorIdentity: join(dataDir, "coordinator", "identity.key"),
    artifacts: join(dataDir, "artifacts"),
    chats: join(dataDir, "chats"),
    /** Keystore files, one a wallet. */
    wallets: join(dataDir, "wallets"),
    /** What every call of the wallet's listener must show. */
    walletToken: join(dataDir, "wallet", "token.key"),
    minerIdentity: join(dataDir, "miner", "identity.key"),
  } as const;
}

/** The SQLite database that `database.url` names. */
export function databaseFile(config: Pick<Config, "data_dir" | "database">): string {
  return config.database.url.slice("sqlite:".length) || join(config.data_dir, "aitbc.db");
}
