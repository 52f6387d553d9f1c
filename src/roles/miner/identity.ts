import { addressOfKey } from "../../crypto/address.ts";
import type { SecretKey } from "../../crypto/ed25519.ts";
import { openIdentityKey } from "../../crypto/identity-file.ts";
import type { RandomBytes } from "../../kernel/ids.ts";

/** Who a miner is: the key that signs its progress and receipts. It holds no money; the payout address does. */
export interface Identity {
  readonly secretKey: SecretKey;
  readonly publicKey: Uint8Array;
  /** Address of the key: the miner's id, and `provider` in its receipts. */
  readonly minerId: string;
}

/**
 * Reads the miner's key from its file, or makes one at the first start.
 * @throws AppError DATA_UNWRITABLE when others may read the file, or it holds no key
 */
export async function loadIdentity(file: string, random: RandomBytes): Promise<Identity> {
  const secretKey = await openIdentityKey(file, random);
  const { publicKey } = secretKey;
  return { secretKey, publicKey, minerId: addressOfKey(publicKey) };
}
