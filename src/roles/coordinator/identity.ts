import { addressOfKey } from "../../crypto/address.ts";
import type { SecretKey } from "../../crypto/ed25519.ts";
import { openIdentityKey } from "../../crypto/identity-file.ts";
import { realmOfCoordinator } from "../../crypto/sign-bytes.ts";
import type { RandomBytes } from "../../kernel/ids.ts";

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
  const secretKey = await openIdentityKey(path, random);
  const { publicKey } = secretKey;
  return { id: addressOfKey(publicKey), secretKey, publicKey, realm: realmOfCoordinator(publicKey) };
}
