import { dataPaths } from "../../config/data-paths.ts";
import { addressOfKey } from "../../crypto/address.ts";
import { findIdentityKey } from "../../crypto/identity-file.ts";
import { keyIdOf } from "../../domain/receipt/sign.ts";

/** A role's public identity on this machine. */
export interface Identity {
  readonly role: "coordinator" | "miner";
  /** As receipts name it: unpadded base64url. */
  readonly public_key: string;
  readonly address: string;
}

/** Reads the public identities of a data directory; roles that never ran there are left out. */
export async function readIdentities(dataDir: string): Promise<readonly Identity[]> {
  const paths = dataPaths(dataDir);
  const files = [
    ["coordinator", paths.coordinatorIdentity],
    ["miner", paths.minerIdentity],
  ] as const;
  const found = await Promise.all(
    files.map(async ([role, file]) => {
      const publicKey = (await findIdentityKey(file))?.publicKey;
      if (publicKey === undefined) return [];
      return [{ role, public_key: keyIdOf(publicKey), address: addressOfKey(publicKey) }];
    }),
  );
  return found.flat();
}
