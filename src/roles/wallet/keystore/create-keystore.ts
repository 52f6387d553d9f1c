import { type Argon2Binding, createArgon2id } from "../../../crypto/argon2id.ts";
import { systemRandomBytes } from "../../../kernel/ids.ts";
import { FileKeystore } from "./file-keystore.ts";
import { KeystoreFiles } from "./files.ts";

/** The keystore of a directory, decrypting in this process: for commands, and for the process that holds keys. */
export function createFileKeystore(directory: string, argon2: Argon2Binding): FileKeystore {
  return new FileKeystore({
    files: new KeystoreFiles(directory),
    argon2id: createArgon2id(argon2),
    random: systemRandomBytes,
    now: Date.now,
  });
}
