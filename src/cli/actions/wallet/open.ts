import { type FileKeystore, wallet } from "../../../roles/wallet/index.ts";
import type { Io } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { loadCommandConfig } from "../../session.ts";

/** The keystore of this machine's data directory. No daemon is needed: it decrypts in this process. */
export async function openKeystore(io: Io, options: GlobalOptions): Promise<FileKeystore> {
  const [{ createFileKeystore }, { loadArgon2Binding }, { dataPaths }, { config }] = await Promise.all([
    wallet.loadOffline(),
    import("../../../app/addon.ts"),
    import("../../../config/data-paths.ts"),
    loadCommandConfig(io, options),
  ]);
  return createFileKeystore(dataPaths(config.data_dir).wallets, () => loadArgon2Binding(config.cache_dir));
}
