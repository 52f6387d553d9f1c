import { addressOfKey } from "../../crypto/address.ts";
import { fromHex, toHex } from "../../crypto/bytes.ts";
import { generateKeyPair, SECRET_KEY_BYTES, SecretKey } from "../../crypto/ed25519.ts";
import { AppError } from "../../kernel/errors.ts";
import type { RandomBytes } from "../../kernel/ids.ts";
import { readOrCreateSecret } from "../../kernel/secret-file.ts";

/** Who a miner is: the key that signs its progress and receipts. It holds no money; the payout address does. */
export interface Identity {
  readonly secretKey: SecretKey;
  readonly publicKey: Uint8Array;
  /** Address of the key: the miner's id, and `provider` in its receipts. */
  readonly minerId: string;
}

/**
 * Reads the miner's key from its file (64 hex characters, readable by its owner alone), or makes one.
 * @throws AppError DATA_UNWRITABLE when others may read the file, or it holds no key
 */
export async function loadIdentity(file: string, random: RandomBytes): Promise<Identity> {
  const stored = await readOrCreateSecret(file, () => toHex(generateKeyPair(random).secretKey.exportBytes()));
  const secretKey = parseKey(file, stored);
  const { publicKey } = secretKey;
  return { secretKey, publicKey, minerId: addressOfKey(publicKey) };
}

function parseKey(file: string, stored: string): SecretKey {
  try {
    return new SecretKey(fromHex("key", stored, SECRET_KEY_BYTES));
  } catch {
    // The cause could quote the file, so it stays out.
    throw new AppError(
      "DATA_UNWRITABLE",
      `${file} is not a miner's key: expected ${2 * SECRET_KEY_BYTES} hex characters; restore it from a backup, or move it away to start as a new miner`,
    );
  }
}
