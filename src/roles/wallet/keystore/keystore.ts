import type { SecretBytes } from "../../../crypto/secret-bytes.ts";
import type { JsonObject } from "../../../kernel/json-value.ts";

/** `derived` from the wallet's phrase, `imported` as a raw key, or only `watched`: an address without its key. */
export type AccountKind = "derived" | "imported" | "watched";

/** What anybody may know about an account. */
export interface Account {
  readonly address: string;
  /** Hex; null for an address that is only watched. */
  readonly public_key: string | null;
  readonly kind: AccountKind;
  /** Derivation path (SLIP-0010), null where there is none. */
  readonly path: string | null;
  readonly label: string;
}

/** What anybody may know about a wallet. */
export interface Wallet {
  readonly wallet_id: string;
  /** Public key of the first account, hex. */
  readonly public_key: string;
  /** Address of the first account. */
  readonly address: string;
  /** RFC 3339, UTC. */
  readonly created_at: string;
  /** Whether the wallet has a recovery phrase, or was made from a raw key. */
  readonly secret: "phrase" | "key";
  readonly metadata: JsonObject;
  readonly accounts: readonly Account[];
}

export interface WalletList {
  readonly wallets: readonly Wallet[];
  /** Ids of keystore files that cannot be read as such; they are left alone. */
  readonly damaged: readonly string[];
}

/** What a new wallet is made from; nothing: a new phrase of 24 words. */
export type NewSecret =
  | { readonly kind: "phrase" /** 12, 15, 18, 21 or 24 English words. */; readonly phrase: SecretBytes }
  | { readonly kind: "key" /** 32 bytes (RFC 8032 §5.1.5). */; readonly key: SecretBytes };

export interface CreateWallet {
  /** 1 to 64 of the characters a–z, A–Z, 0–9, `.`, `_`, `-`; the first is a letter or a digit. */
  readonly walletId: string;
  readonly password: SecretBytes;
  readonly metadata?: JsonObject;
  readonly secret?: NewSecret;
}

/**
 * The wallets of a directory, one file each. Every method that takes a password lends it: the caller wipes it.
 * Whatever changes a wallet needs its password, because the whole file is bound to it.
 *
 * Errors of all that name a wallet: WALLET_NOT_FOUND, KEYSTORE_DAMAGED (not readable as a keystore, or any bit of it
 * changed), INVALID_ARGUMENT (no wallet id), DATA_UNWRITABLE; of all that take a password: INVALID_CREDENTIALS.
 */
export interface Keystore {
  /** All wallets, by id. */
  list(): Promise<WalletList>;
  get(walletId: string): Promise<Wallet>;
  /** @throws AppError WALLET_EXISTS, PASSWORD_TOO_WEAK (`meta`: reason, min_length), INVALID_ARGUMENT for a bad secret */
  create(options: CreateWallet): Promise<Wallet>;
  /** @throws AppError PASSWORD_TOO_WEAK */
  changePassword(walletId: string, password: SecretBytes, newPassword: SecretBytes): Promise<Wallet>;
  /** Derives the next account. @throws AppError INVALID_ARGUMENT for a wallet without a phrase. */
  addAccount(walletId: string, password: SecretBytes, label: string): Promise<Account>;
  /** Adds an address to watch. @throws AppError INVALID_ARGUMENT when it is none, or is there already. */
  watch(walletId: string, password: SecretBytes, address: string, label: string): Promise<Account>;
  /** Removes a watched address. @throws AppError ACCOUNT_NOT_FOUND */
  unwatch(walletId: string, password: SecretBytes, address: string): Promise<void>;
  /** @throws AppError ACCOUNT_NOT_FOUND */
  setLabel(walletId: string, password: SecretBytes, address: string, label: string): Promise<Account>;
  /** The recovery phrase, UTF-8; the caller wipes it. @throws AppError INVALID_ARGUMENT for a wallet without one. */
  exportPhrase(walletId: string, password: SecretBytes): Promise<SecretBytes>;
  /** The secret key of an account (default: the first), 32 bytes; the caller wipes it. @throws AppError ACCOUNT_NOT_FOUND */
  exportKey(walletId: string, password: SecretBytes, address?: string): Promise<SecretBytes>;
  /** The keystore file itself, after it was decrypted once: safe to keep elsewhere. */
  exportFile(walletId: string, password: SecretBytes): Promise<Uint8Array>;
  /**
   * Takes in a keystore file after decrypting it; `walletId` gives it another name.
   * @throws AppError WALLET_EXISTS
   */
  importFile(file: Uint8Array, password: SecretBytes, walletId?: string): Promise<Wallet>;
  /** Decrypts once, then removes the file. */
  delete(walletId: string, password: SecretBytes): Promise<void>;
}
