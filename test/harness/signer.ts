import { fileURLToPath } from "node:url";
import { signerCommand } from "../../src/app/native.ts";
import type { Keystore } from "../../src/roles/wallet/keystore/keystore.ts";
import { createSigner } from "../../src/roles/wallet/signer/create-signer.ts";
import type { Signer } from "../../src/roles/wallet/signer/signer.ts";

interface KeystoreAndSigner {
  readonly keystore: Keystore;
  readonly signer: Signer;
}

/** Keystore and signer over a directory, with real processes, as a daemon has them. */
export function signerIn(directory: string): KeystoreAndSigner {
  return createSigner({ directory, command: signerCommand("", directory) });
}

/** A command of processes that hold keys whose hash of passwords costs nothing, as `keystoreIn` has it. */
export const CHEAP_SIGNER: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL("./cheap-signer.ts", import.meta.url)),
];

/** The same with processes whose hash costs nothing. */
export function cheapSignerIn(directory: string): KeystoreAndSigner {
  return createSigner({ directory, command: [...CHEAP_SIGNER, directory] });
}
