import { addressOfKey } from "../../crypto/address.ts";
import { fromHex, toHex } from "../../crypto/bytes.ts";
import { generateKeyPair, publicKeyOf, SECRET_KEY_BYTES, SecretKey } from "../../crypto/ed25519.ts";
import { realmOfCoordinator } from "../../crypto/sign-bytes.ts";
import type { RandomBytes } from "../../kernel/ids.ts";
import { readOrCreateSecret } from "../../kernel/secret-file.ts";

/** The coordinator's identity: what attests receipts, and the realm of everything signed with it. */
export interface CoordinatorIdentity {
  /** Address of the public key. */
  readonly id: string;
  readonly secretKey: SecretKey;
  readonly publicKey: Uint8Array;
  readonly realm: Uint8Array;
}

/** Reads the identity key from its file, or makes it at the first start. */
export async function openIdentity(path: string, random: RandomBytes): Promise<CoordinatorIdentity> {
  const text = await readOrCreateSecret(path, () => toHex(generateKeyPair(random).secretKey.exportBytes()));
  const secretKey = new SecretKey(fromHex(path, text, SECRET_KEY_BYTES));
  const publicKey = publicKeyOf(secretKey);
  return { id: addressOfKey(publicKey), secretKey, publicKey, realm: realmOfCoordinator(publicKey) };
}
