import { AppError } from "../kernel/errors.ts";
import { wallet } from "../roles/wallet/index.ts";
import { loadArgon2Binding } from "./addon.ts";

/**
 * Runs this process as the one that holds a wallet's keys (`aitbc __signer CACHE_DIR KEYSTORE_DIR`). Ends with its
 * parent.
 */
export async function runSignerProcess([cacheDir, directory]: readonly string[]): Promise<void> {
  if (cacheDir === undefined || directory === undefined) {
    throw new AppError("INVALID_ARGUMENT", "__signer is started by the daemon, not by hand");
  }
  const { createFileKeystore, runSignerChild } = await wallet.loadOffline();
  runSignerChild(
    createFileKeystore(directory, () => loadArgon2Binding(cacheDir)),
    {
      input: process.stdin,
      output: process.stdout,
    },
  );
}
