import { KeystoreFiles } from "../keystore/files.ts";
import type { Keystore } from "../keystore/keystore.ts";
import { KeystoreReader } from "../keystore/keystore-reader.ts";
import { ProcessKeystore } from "./process-keystore.ts";
import { ProcessSigner, SignerProcesses } from "./process-signer.ts";
import type { Signer } from "./signer.ts";

export interface SignerSetup {
  /** Of the keystore files. */
  readonly directory: string;
  /** Program and arguments of the process that holds keys. */
  readonly command: readonly string[];
}

/** Keystore and signer for a daemon: every secret is in a process of its own, none in this one. */
export function createSigner({ directory, command }: SignerSetup): {
  readonly keystore: Keystore;
  readonly signer: Signer;
} {
  const processes = new SignerProcesses(command);
  const reader = new KeystoreReader(new KeystoreFiles(directory));
  return { keystore: new ProcessKeystore(reader, processes), signer: new ProcessSigner(processes) };
}
