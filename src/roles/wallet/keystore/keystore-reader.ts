import { AppError } from "../../../kernel/errors.ts";
import type { KeystoreFiles } from "./files.ts";
import { type Header, type ParsedKeystore, parseKeystore, walletOf } from "./format.ts";
import type { Keystore, Wallet, WalletList } from "./keystore.ts";
import { checkWalletId } from "./wallet-id.ts";

/** What can be read of a directory's keystore files without a password. */
export class KeystoreReader implements Pick<Keystore, "list" | "get"> {
  readonly #files: KeystoreFiles;

  constructor(files: KeystoreFiles) {
    this.#files = files;
  }

  async list(): Promise<WalletList> {
    const wallets: Wallet[] = [];
    const damaged: string[] = [];
    for (const walletId of await this.#files.list()) {
      try {
        wallets.push(await this.get(walletId));
      } catch (error) {
        // One that was deleted meanwhile is neither.
        if (error instanceof AppError && error.code === "WALLET_NOT_FOUND") continue;
        damaged.push(walletId);
      }
    }
    return { wallets, damaged };
  }

  async get(walletId: string): Promise<Wallet> {
    return walletOf((await this.read(walletId)).header);
  }

  /** A wallet's file, read but not decrypted. @throws AppError WALLET_NOT_FOUND, KEYSTORE_DAMAGED, INVALID_ARGUMENT */
  async read(walletId: string): Promise<ParsedKeystore & { readonly file: Uint8Array }> {
    const file = await this.#files.read(checkWalletId(walletId));
    const parsed = parseKeystore(file);
    checkName(parsed.header, walletId);
    return { ...parsed, file };
  }
}

/** A file under another wallet's name would answer for that wallet. */
function checkName(header: Header, walletId: string): void {
  if (header.wallet_id === walletId) return;
  throw new AppError(
    "KEYSTORE_DAMAGED",
    `the keystore file of ${walletId} is that of the wallet ${header.wallet_id}; import it under another id`,
  );
}
