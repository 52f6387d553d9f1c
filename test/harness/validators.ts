/** Validators from fixed seeds, by number. */
import { addressOfKey } from "../../src/crypto/address.ts";
import type { SecretKey } from "../../src/crypto/ed25519.ts";
import { seededKey } from "./receipts.ts";

const keys: SecretKey[] = [];
const addresses: string[] = [];

/** The validator key with this number: the same in every run. It guards nothing. */
export function keyOf(number: number): SecretKey {
  keys[number] ??= seededKey(`validator ${number}`);
  return keys[number];
}

/** Address of the validator key with this number. */
export function addressOf(number: number): string {
  addresses[number] ??= addressOfKey(keyOf(number).publicKey);
  return addresses[number];
}
