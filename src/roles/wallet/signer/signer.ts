import type { SecretBytes } from "../../../crypto/secret-bytes.ts";
import type { SignedType } from "../../../crypto/sign-bytes.ts";
import type { Wallet } from "../keystore/keystore.ts";

/** A wallet whose keys are in a process of their own. Nothing but signatures comes out of it. */
export interface UnlockedWallet {
  readonly wallet: Wallet;
  /** Id of the process, for those who look at it from outside. */
  readonly pid: number;
  /** Resolves when the process is gone, by `lock` or however else: the wallet is locked. */
  readonly ended: Promise<void>;
  /**
   * Signs a message as it is, with the key of an account (default: the first). 64 bytes.
   * @throws AppError SIGNING_REFUSED for what could be read as a signed document or receipt, ACCOUNT_NOT_FOUND,
   *   WALLET_LOCKED
   */
  signMessage(message: Uint8Array, address?: string): Promise<Uint8Array>;
  /**
   * Signs a document (canonical JSON) as `signBytes` defines it: type, realm of 32 bytes, payload.
   * @throws AppError ACCOUNT_NOT_FOUND, WALLET_LOCKED, INVALID_PAYLOAD when the text is not canonical
   */
  signDocument(document: DocumentToSign, address?: string): Promise<Uint8Array>;
  /** Kills the process; resolves when it is gone and its memory with it. */
  lock(): Promise<void>;
}

/** What a wallet signs with a tag. All other tags belong to roles and their own keys. */
export const WALLET_TYPES = ["document", "tx"] as const satisfies readonly SignedType[];

export interface DocumentToSign {
  readonly type: (typeof WALLET_TYPES)[number];
  readonly realm: Uint8Array;
  /** Canonical JSON. */
  readonly payload: string;
}

/** Unlocks wallets, each in a child process that reads and decrypts the keystore file itself. */
export interface Signer {
  /**
   * Starts a process, which opens the wallet. The password is lent: the caller wipes it.
   * @throws AppError WALLET_NOT_FOUND, INVALID_CREDENTIALS, KEYSTORE_DAMAGED, SIGNER_FAILED
   */
  unlock(walletId: string, password: SecretBytes): Promise<UnlockedWallet>;
  /** Locks all wallets. */
  [Symbol.asyncDispose](): Promise<void>;
}
