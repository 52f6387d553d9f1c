import { ENTROPY_BYTES, entropyOfPhrase, phraseOfEntropy, seedOfPhrase } from "../../../crypto/bip39.ts";
import { checkLength, fromUtf8 } from "../../../crypto/bytes.ts";
import { SECRET_KEY_BYTES, SecretKey } from "../../../crypto/ed25519.ts";
import { SecretBytes } from "../../../crypto/secret-bytes.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { RandomBytes } from "../../../kernel/ids.ts";
import { deriveAccountKey } from "./derivation.ts";

/** First byte of the encrypted content: what follows is a phrase's entropy, or one raw key. */
const KINDS = { phrase: 1, key: 2 } as const;
export type SecretKind = keyof typeof KINDS;

/** Entropy of new wallets: 24 words. */
const NEW_ENTROPY_BYTES = 32;

/** The one secret of a wallet, from which its accounts' keys come. Disposing of it wipes it. */
export class WalletSecret implements Disposable {
  readonly kind: SecretKind;
  readonly #content: SecretBytes;

  private constructor(kind: SecretKind, content: SecretBytes) {
    this.kind = kind;
    this.#content = content;
  }

  static generate(random: RandomBytes): WalletSecret {
    return new WalletSecret("phrase", new SecretBytes(Uint8Array.from(random(NEW_ENTROPY_BYTES))));
  }

  /** From a recovery phrase in UTF-8. @throws AppError INVALID_ARGUMENT */
  static fromPhrase(phrase: SecretBytes): WalletSecret {
    return new WalletSecret("phrase", new SecretBytes(entropyOfPhrase(fromUtf8("phrase", phrase.bytes))));
  }

  /** From a raw secret key. @throws AppError INVALID_ARGUMENT unless it has 32 bytes */
  static fromKey(key: SecretBytes): WalletSecret {
    checkLength("secret_key", key.bytes, SECRET_KEY_BYTES);
    return new WalletSecret("key", key.copy());
  }

  /** Reads what `encode` wrote; undefined for anything else. */
  static decode({ bytes }: SecretBytes): WalletSecret | undefined {
    const content = bytes.subarray(1);
    if (bytes[0] === KINDS.phrase && ENTROPY_BYTES.includes(content.length)) {
      return new WalletSecret("phrase", new SecretBytes(content.slice()));
    }
    if (bytes[0] === KINDS.key && content.length === SECRET_KEY_BYTES) {
      return new WalletSecret("key", new SecretBytes(content.slice()));
    }
    return undefined;
  }

  /** The content of a keystore file; the caller wipes it. */
  encode(): SecretBytes {
    const bytes = new Uint8Array(1 + this.#content.length);
    bytes[0] = KINDS[this.kind];
    bytes.set(this.#content.bytes, 1);
    return new SecretBytes(bytes);
  }

  /** The recovery phrase, UTF-8; the caller wipes it. @throws AppError INVALID_ARGUMENT for a raw key */
  phrase(): SecretBytes {
    if (this.kind !== "phrase") {
      throw new AppError("INVALID_ARGUMENT", "the wallet was made from a raw key and has no recovery phrase");
    }
    return SecretBytes.fromUtf8(phraseOfEntropy(this.#content.bytes));
  }

  /** Secret keys of the accounts at these indices, 32 bytes each; the caller wipes them. A raw key has only index 0. */
  async accountKeys(indices: readonly number[]): Promise<readonly SecretBytes[]> {
    if (this.kind === "key") return indices.map(() => this.#content.copy());
    const seed = await seedOfPhrase(phraseOfEntropy(this.#content.bytes));
    try {
      return indices.map((index) => new SecretBytes(deriveAccountKey(seed, index)));
    } finally {
      seed.fill(0);
    }
  }

  /** Public key of the account at an index. */
  async publicKey(index: number): Promise<Uint8Array> {
    const [key] = await this.accountKeys([index]);
    using secret = key ?? new SecretBytes(new Uint8Array());
    return new SecretKey(secret.bytes).publicKey;
  }

  [Symbol.dispose](): void {
    this.#content[Symbol.dispose]();
  }
}
