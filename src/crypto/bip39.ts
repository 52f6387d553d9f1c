/** Recovery phrases (BIP-39): entropy as words, and the seed that keys are derived from. */
import { pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { entropyToMnemonic, mnemonicToEntropy } from "@scure/bip39";
import { wordlist as english } from "@scure/bip39/wordlists/english.js";
import { AppError } from "../kernel/errors.ts";

/** Bytes of entropy: 12, 15, 18, 21 and 24 words. */
export const ENTROPY_BYTES: readonly number[] = [16, 20, 24, 28, 32];
const SEED_BYTES = 64;
const ROUNDS = 2048;

/** The 2,048 words of a language. */
type Words = readonly string[];

/** Entropy as a phrase. Throws INVALID_ARGUMENT for other than 16, 20, 24, 28 or 32 bytes. */
export function phraseOfEntropy(entropy: Uint8Array, words: Words = english): string {
  if (!ENTROPY_BYTES.includes(entropy.length)) refuse("the entropy must have 16, 20, 24, 28 or 32 bytes");
  return entropyToMnemonic(entropy, [...words]);
}

/**
 * Reads a phrase; capitals and extra spaces do not count. Throws INVALID_ARGUMENT for a word that is not in the
 * list, a wrong number of words, or a wrong checksum; the error never quotes the phrase.
 */
export function entropyOfPhrase(phrase: string, words: Words = english): Uint8Array {
  const given = phrase.trim().toLowerCase().normalize("NFKD").split(/\s+/u);
  if (!ENTROPY_BYTES.includes((given.length * 4) / 3)) {
    refuse(`the phrase must have 12, 15, 18, 21 or 24 words, not ${given.length}`);
  }
  const unknown = given.findIndex((word) => !words.includes(word));
  if (unknown >= 0) refuse(`word ${unknown + 1} of the phrase is not in the list`);
  try {
    return mnemonicToEntropy(given.join(" "), [...words]);
  } catch {
    // The library's error may hold words.
    return refuse("the checksum of the phrase is wrong: a word is missing, changed or in another place");
  }
}

const derive = promisify(pbkdf2);

/** Seed of a phrase, 64 bytes: PBKDF2 with HMAC-SHA-512, 2,048 rounds, on a thread of the pool. */
export async function seedOfPhrase(phrase: string, passphrase = ""): Promise<Uint8Array> {
  const password = Buffer.from(phrase.normalize("NFKD"), "utf8");
  try {
    return await derive(password, `mnemonic${passphrase.normalize("NFKD")}`, ROUNDS, SEED_BYTES, "sha512");
  } finally {
    password.fill(0);
  }
}

function refuse(problem: string): never {
  throw new AppError("INVALID_ARGUMENT", problem, { meta: { argument: "phrase" } });
}
