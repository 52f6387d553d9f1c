import { dataPaths } from "../../config/data-paths.ts";
import { addressOfKey } from "../../crypto/address.ts";
import { fromHex } from "../../crypto/bytes.ts";
import { SECRET_KEY_BYTES, SecretKey } from "../../crypto/ed25519.ts";
import { keyIdOf } from "../../domain/receipt/sign.ts";
import { readSecretFile } from "../../kernel/secret-file.ts";

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
      const text = await readSecretFile(file);
      if (text === undefined) return [];
      const { publicKey } = new SecretKey(fromHex("key", text, SECRET_KEY_BYTES));
      return [{ role, public_key: keyIdOf(publicKey), address: addressOfKey(publicKey) }];
    }),
  );
  return found.flat();
}
