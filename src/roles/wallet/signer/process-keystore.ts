import { SecretBytes } from "../../../crypto/secret-bytes.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { Account, CreateWallet, Keystore, NewSecret, Wallet, WalletList } from "../keystore/keystore.ts";
import type { KeystoreReader } from "../keystore/keystore-reader.ts";
import type { Call } from "./calls.ts";
import type { Answer } from "./child-process.ts";
import type { SignerProcesses } from "./process-signer.ts";

/**
 * A keystore whose every call with a password runs in a process of its own, which is gone when the call returns: the
 * daemon's memory never holds a key, unless it asked for one by an export.
 */
export class ProcessKeystore implements Keystore {
  readonly #reader: KeystoreReader;
  readonly #processes: SignerProcesses;

  constructor(reader: KeystoreReader, processes: SignerProcesses) {
    this.#reader = reader;
    this.#processes = processes;
  }

  list(): Promise<WalletList> {
    return this.#reader.list();
  }

  get(walletId: string): Promise<Wallet> {
    return this.#reader.get(walletId);
  }

  create({ walletId: wallet_id, password, metadata = {}, secret }: CreateWallet): Promise<Wallet> {
    const kind = secret === undefined ? {} : { secret: secret.kind };
    const call = { call: "create", wallet_id, metadata, ...kind } as const;
    return this.#result(call, password, ...(secret === undefined ? [] : [bytesOf(secret)]));
  }

  changePassword(wallet_id: string, password: SecretBytes, newPassword: SecretBytes): Promise<Wallet> {
    return this.#result({ call: "change_password", wallet_id }, password, newPassword.bytes);
  }

  addAccount(wallet_id: string, password: SecretBytes, label: string): Promise<Account> {
    return this.#result({ call: "add_account", wallet_id, label }, password);
  }

  watch(wallet_id: string, password: SecretBytes, address: string, label: string): Promise<Account> {
    return this.#result({ call: "watch", wallet_id, address, label }, password);
  }

  async unwatch(wallet_id: string, password: SecretBytes, address: string): Promise<void> {
    await this.#call({ call: "unwatch", wallet_id, address }, password);
  }

  setLabel(wallet_id: string, password: SecretBytes, address: string, label: string): Promise<Account> {
    return this.#result({ call: "set_label", wallet_id, address, label }, password);
  }

  async exportPhrase(wallet_id: string, password: SecretBytes): Promise<SecretBytes> {
    return new SecretBytes(await this.#part({ call: "export_phrase", wallet_id }, password));
  }

  async exportKey(wallet_id: string, password: SecretBytes, address?: string): Promise<SecretBytes> {
    const ofAccount = address === undefined ? {} : { address };
    return new SecretBytes(await this.#part({ call: "export_key", wallet_id, ...ofAccount }, password));
  }

  exportFile(wallet_id: string, password: SecretBytes): Promise<Uint8Array> {
    return this.#part({ call: "export_file", wallet_id }, password);
  }

  importFile(file: Uint8Array, password: SecretBytes, walletId?: string): Promise<Wallet> {
    const named = walletId === undefined ? {} : { wallet_id: walletId };
    return this.#result({ call: "import_file", ...named }, password, file);
  }

  async delete(wallet_id: string, password: SecretBytes): Promise<void> {
    await this.#call({ call: "delete", wallet_id }, password);
  }

  #call(call: Call, password: SecretBytes, ...further: readonly Uint8Array[]): Promise<Answer> {
    return this.#processes.run(async (start) => {
      const child = start();
      try {
        return await child.call(call, [password.bytes, ...further]);
      } finally {
        await child.kill();
      }
    });
  }

  async #result<T>(call: Call, password: SecretBytes, ...further: readonly Uint8Array[]): Promise<T> {
    // The child is this program, and answers each call with what the keystore's method returns.
    return (await this.#call(call, password, ...further)).result as T;
  }

  async #part(call: Call, password: SecretBytes): Promise<Uint8Array> {
    const [part] = (await this.#call(call, password)).parts;
    if (part === undefined)
      throw new AppError("SIGNER_FAILED", "the signer answered without what was asked for");
    return part;
  }
}

const bytesOf = (secret: NewSecret): Uint8Array =>
  secret.kind === "phrase" ? secret.phrase.bytes : secret.key.bytes;
