import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Argon2id } from "../../src/crypto/argon2id.ts";
import { SecretBytes } from "../../src/crypto/secret-bytes.ts";
import { systemRandomBytes } from "../../src/kernel/ids.ts";
import { FileKeystore } from "../../src/roles/wallet/keystore/file-keystore.ts";
import { type Disk, KeystoreFiles } from "../../src/roles/wallet/keystore/files.ts";
import { cheapKdf } from "./cheap-kdf.ts";

export const GOOD_PASSWORD = "Correct-Horse-7";
export const OTHER_PASSWORD = "one two three four fives";

/** A password as the keystore takes it. */
export const secret = (text: string): SecretBytes => SecretBytes.fromUtf8(text);

/** A keystore over a directory. Unless told otherwise its passwords cost nothing to hash. */
export function keystoreIn(directory: string, argon2id: Argon2id = cheapKdf, disk?: Disk): FileKeystore {
  return new FileKeystore({
    files: new KeystoreFiles(directory, disk),
    argon2id,
    random: systemRandomBytes,
    now: () => Date.UTC(2026, 0, 2),
  });
}

/** An empty directory that goes away with its owner. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "aitbc-wallet-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
