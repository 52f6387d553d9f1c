import { type Argon2Binding, type Argon2id, createArgon2id } from "../../../crypto/argon2id.ts";
import { systemRandomBytes } from "../../../kernel/ids.ts";
import { FileKeystore } from "./file-keystore.ts";
import { KeystoreFiles } from "./files.ts";

/**
 * The keystore of a directory, decrypting in this process: for commands, and for the process that holds keys.
 * `loadArgon2` is called when a password is first needed; to look at wallets takes no native code.
 */
export function createFileKeystore(directory: string, loadArgon2: () => Argon2Binding): FileKeystore {
  let loaded: Argon2id | undefined;
  const argon2id: Argon2id = async (password, salt, costs) => {
    loaded ??= createArgon2id(loadArgon2());
    return loaded(password, salt, costs);
  };
  return new FileKeystore({
    files: new KeystoreFiles(directory),
    argon2id,
    random: systemRandomBytes,
    now: Date.now,
  });
}
