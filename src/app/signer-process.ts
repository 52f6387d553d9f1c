import { AppError } from "../kernel/errors.ts";
import { createFileKeystore, runSignerChild } from "../roles/wallet/index.ts";
import { loadArgon2Binding } from "./addon.ts";

/**
 * Runs this process as the one that holds a wallet's keys (`aitbc __signer CACHE_DIR KEYSTORE_DIR`). Ends with its
 * parent.
 */
export function runSignerProcess([cacheDir, directory]: readonly string[]): void {
  if (cacheDir === undefined || directory === undefined) {
    throw new AppError("INVALID_ARGUMENT", "__signer is started by the daemon, not by hand");
  }
  runSignerChild(
    createFileKeystore(directory, () => loadArgon2Binding(cacheDir)),
    {
      input: process.stdin,
      output: process.stdout,
    },
  );
}
