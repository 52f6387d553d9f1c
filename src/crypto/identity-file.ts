/** A role's identity key in its own file: 64 hex characters, readable by the owner alone. */
import { AppError } from "../kernel/errors.ts";
import type { RandomBytes } from "../kernel/ids.ts";
import { readOrCreateSecret, readSecretFile } from "../kernel/secret-file.ts";
import { fromHex, toHex } from "./bytes.ts";
import { generateKeyPair, SECRET_KEY_BYTES, SecretKey } from "./ed25519.ts";

/**
 * Reads an identity key, or makes one at the first start.
 * @throws AppError DATA_UNWRITABLE when others may read the file, or it holds no key
 */
export async function openIdentityKey(file: string, random: RandomBytes): Promise<SecretKey> {
  const text = await readOrCreateSecret(file, () => toHex(generateKeyPair(random).secretKey.exportBytes()));
  return parseKey(file, text);
}

/**
 * Reads an identity key; undefined where none was made yet.
 * @throws AppError DATA_UNWRITABLE as above
 */
export async function findIdentityKey(file: string): Promise<SecretKey | undefined> {
  const text = await readSecretFile(file);
  return text === undefined ? undefined : parseKey(file, text);
}

function parseKey(file: string, text: string): SecretKey {
  try {
    return new SecretKey(fromHex("key", text, SECRET_KEY_BYTES));
  } catch {
    // The cause could quote the file, so it stays out.
    throw new AppError(
      "DATA_UNWRITABLE",
      `${file} holds no key: expected ${2 * SECRET_KEY_BYTES} hex characters; put the right file back, or move this one away to start with a new identity`,
    );
  }
}
