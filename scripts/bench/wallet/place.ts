import { join } from "node:path";
import { loadArgon2Binding } from "../../../src/app/addon.ts";
import { signerCommand } from "../../../src/app/native.ts";
import { SecretBytes } from "../../../src/crypto/secret-bytes.ts";
import type { FileKeystore } from "../../../src/roles/wallet/index.ts";
import { createFileKeystore } from "../../../src/roles/wallet/offline.ts";
import { createSigner } from "../../../src/roles/wallet/role.ts";
import { BINARY, isFresh } from "../../../test/harness/binary.ts";
import { withDirectory } from "../queue/temporary.ts";

export const BENCH_WALLET = "bench";
const PASSWORD = "Correct-Horse-7";

/** A directory with one wallet, at the full cost of its hash. */
export interface Place {
  readonly keystore: FileKeystore;
  /** With real processes: the single file where it was built from the sources as they are. */
  readonly signer: ReturnType<typeof createSigner>["signer"];
  /** What the processes are. */
  readonly program: string;
}

/** Lends the wallet's password. */
export async function withPassword<T>(work: (password: SecretBytes) => Promise<T>): Promise<T> {
  using password = SecretBytes.fromUtf8(PASSWORD);
  return await work(password);
}

/** Makes a wallet in a directory that goes away afterwards. */
export function withPlace<T>(work: (place: Place) => Promise<T>): Promise<T> {
  return withDirectory(async (directory) => {
    const keystore = createFileKeystore(directory, () => loadArgon2Binding(""));
    await withPassword((password) => keystore.create({ walletId: BENCH_WALLET, password }));
    const isBuilt = isFresh();
    const command = isBuilt
      ? [BINARY, "__signer", join(directory, "cache"), directory]
      : signerCommand("", directory);
    const { signer } = createSigner({ directory, command });
    try {
      return await work({ keystore, signer, program: isBuilt ? "dist/aitbc" : "src/main.ts" });
    } finally {
      await signer[Symbol.asyncDispose]();
    }
  });
}
