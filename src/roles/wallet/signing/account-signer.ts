import { toHex } from "../../../crypto/bytes.ts";
import { parseCanonical } from "../../../crypto/canonical-json.ts";
import { SecretKey } from "../../../crypto/ed25519.ts";
import type { SecretBytes } from "../../../crypto/secret-bytes.ts";
import { signBytes } from "../../../crypto/sign-bytes.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { FileKeystore } from "../keystore/file-keystore.ts";
import { walletOf } from "../keystore/format.ts";
import type { Wallet } from "../keystore/keystore.ts";
import type { DocumentToSign } from "../signer/signer.ts";
import { checkRawMessage } from "./raw-message.ts";

/** Signs with the keys of one open wallet. They stay in this process's memory until it ends. */
export class AccountSigner {
  readonly wallet: Wallet;
  /** By address. */
  readonly #keys: ReadonlyMap<string, SecretKey>;

  private constructor(wallet: Wallet, keys: ReadonlyMap<string, SecretKey>) {
    this.wallet = wallet;
    this.#keys = keys;
  }

  /** @throws AppError as Keystore says for a wallet and its password */
  static async open(keystore: FileKeystore, walletId: string, password: SecretBytes): Promise<AccountSigner> {
    using opened = await keystore.open(walletId, password);
    const { accounts } = opened.header;
    const secrets = await opened.secret.accountKeys(accounts.map(({ index }) => index));
    const byPublicKey = new Map<string, SecretKey>();
    for (const secret of secrets) {
      using bytes = secret;
      const key = new SecretKey(bytes.bytes);
      byPublicKey.set(toHex(key.publicKey), key);
    }
    const wallet = walletOf(opened.header);
    const keys = wallet.accounts.flatMap(({ address, public_key }) => {
      const key = byPublicKey.get(public_key ?? "");
      return key === undefined ? [] : [[address, key] as const];
    });
    return new AccountSigner(wallet, new Map(keys));
  }

  /** As UnlockedWallet. */
  signMessage(message: Uint8Array, address?: string): Promise<Uint8Array> {
    checkRawMessage(message);
    return this.#keyOf(address).signAsync(message);
  }

  /** As UnlockedWallet. */
  signDocument({ type, realm, payload }: DocumentToSign, address?: string): Promise<Uint8Array> {
    parseCanonical(payload);
    return this.#keyOf(address).signAsync(signBytes(type, realm, payload));
  }

  #keyOf(address = this.wallet.address): SecretKey {
    const key = this.#keys.get(address);
    if (key === undefined) throw new AppError("ACCOUNT_NOT_FOUND", `the wallet has no key of ${address}`);
    return key;
  }
}
