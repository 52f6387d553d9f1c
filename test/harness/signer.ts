import { signerCommand } from "../../src/app/native.ts";
import type { Keystore } from "../../src/roles/wallet/keystore/keystore.ts";
import { createSigner } from "../../src/roles/wallet/signer/create-signer.ts";
import type { Signer } from "../../src/roles/wallet/signer/signer.ts";

/** Keystore and signer over a directory, with real processes, as a daemon has them. */
export function signerIn(directory: string): { readonly keystore: Keystore; readonly signer: Signer } {
  return createSigner({ directory, command: signerCommand("", directory) });
}
