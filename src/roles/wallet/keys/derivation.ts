import { deriveNode, formatPath } from "../../../crypto/slip10.ts";

/** Purpose of BIP-44, whose tree is followed as far as Ed25519 allows. */
const PURPOSE = 44;
/** Coin type, hardened: the letters `ait` as a number, which no other coin of SLIP-0044 has. */
const COIN_TYPE = 0x61_69_74;

const pathOf = (index: number): readonly number[] => [PURPOSE, COIN_TYPE, index];

/** Path of an account of a phrase: m/44'/6383988'/index'. */
export function accountPath(index: number): string {
  return formatPath(pathOf(index));
}

/** Secret key of an account, 32 bytes, from the phrase's seed. The caller wipes both. */
export function deriveAccountKey(seed: Uint8Array, index: number): Uint8Array {
  const { secretKey, chainCode } = deriveNode(seed, pathOf(index));
  chainCode.fill(0);
  return secretKey;
}
