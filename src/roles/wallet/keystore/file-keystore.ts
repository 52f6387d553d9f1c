import { isAddress } from "../../../crypto/address.ts";
import { toBase64Url, toHex } from "../../../crypto/bytes.ts";
import type { SecretBytes } from "../../../crypto/secret-bytes.ts";
import { AppError } from "../../../kernel/errors.ts";
import { WalletSecret } from "../keys/wallet-secret.ts";
import type { KeystoreFiles } from "./files.ts";
import {
  accountsOf,
  checkMetadata,
  type Header,
  Label,
  MAX_ACCOUNTS,
  parseKeystore,
  walletOf,
} from "./format.ts";
import type { Account, CreateWallet, Keystore, NewSecret, Wallet, WalletList } from "./keystore.ts";
import { KeystoreReader } from "./keystore-reader.ts";
import { checkNewPassword } from "./password.ts";
import { openWallet, sealWallet, type VaultDeps, type WalletHeader } from "./vault.ts";
import { checkWalletId } from "./wallet-id.ts";

export interface FileKeystoreDeps extends VaultDeps {
  readonly files: KeystoreFiles;
  /** Unix time in ms. */
  readonly now: () => number;
}

/** A wallet that was decrypted, and the file it came from. */
interface Opened extends Disposable {
  readonly file: Uint8Array;
  readonly header: Header;
  readonly secret: WalletSecret;
}

/** The keystore of a directory, in this process: decrypted secrets are in its memory until they are wiped. */
export class FileKeystore implements Keystore {
  readonly #deps: FileKeystoreDeps;
  readonly #reader: KeystoreReader;

  constructor(deps: FileKeystoreDeps) {
    this.#deps = deps;
    this.#reader = new KeystoreReader(deps.files);
  }

  list(): Promise<WalletList> {
    return this.#reader.list();
  }

  get(walletId: string): Promise<Wallet> {
    return this.#reader.get(walletId);
  }

  async create({ walletId, password, metadata = {}, secret: given }: CreateWallet): Promise<Wallet> {
    checkWalletId(walletId);
    checkNewPassword(password.bytes);
    checkMetadata(metadata);
    using secret = this.#newSecret(given);
    const publicKey = await secret.publicKey(0);
    const header: WalletHeader = {
      wallet_id: walletId,
      created_at: new Date(this.#deps.now()).toISOString(),
      secret: secret.kind,
      key_id: toBase64Url(publicKey),
      public_key: toHex(publicKey),
      metadata,
      accounts: [{ index: 0, public_key: toHex(publicKey), label: "" }],
      watched: [],
    };
    const file = await sealWallet(this.#deps, header, secret, password);
    await this.#deps.files.create(walletId, file, (written) => this.#try(written, password));
    return this.get(walletId);
  }

  async changePassword(walletId: string, password: SecretBytes, newPassword: SecretBytes): Promise<Wallet> {
    checkNewPassword(newPassword.bytes);
    using opened = await this.open(walletId, password);
    // Awaited here: the secret is wiped when this function ends.
    return await this.#rewrite(opened, opened.header, newPassword);
  }

  async addAccount(walletId: string, password: SecretBytes, label: string): Promise<Account> {
    checkLabel(label);
    using opened = await this.open(walletId, password);
    const { header, secret } = opened;
    if (secret.kind !== "phrase") {
      throw new AppError("INVALID_ARGUMENT", "the wallet was made from a raw key: it has one account only");
    }
    const { accounts } = header;
    if (accounts.length >= MAX_ACCOUNTS) throw tooMany();
    const index = Math.max(...accounts.map((account) => account.index)) + 1;
    const publicKey = toHex(await secret.publicKey(index));
    const changed = { ...header, accounts: [...accounts, { index, public_key: publicKey, label }] };
    const wallet = await this.#rewrite(opened, changed, password);
    return findAccount(wallet, ({ public_key }) => public_key === publicKey);
  }

  async watch(walletId: string, password: SecretBytes, address: string, label: string): Promise<Account> {
    checkLabel(label);
    if (!isAddress(address)) throw new AppError("INVALID_ARGUMENT", "not an ait1… address");
    using opened = await this.open(walletId, password);
    const { header } = opened;
    if (accountsOf(header).some((account) => account.address === address)) {
      throw new AppError("INVALID_ARGUMENT", "the wallet has this address already");
    }
    if (header.watched.length >= MAX_ACCOUNTS) throw tooMany();
    const changed = { ...header, watched: [...header.watched, { address, label }] };
    return findAccount(await this.#rewrite(opened, changed, password), (one) => one.address === address);
  }

  async unwatch(walletId: string, password: SecretBytes, address: string): Promise<void> {
    using opened = await this.open(walletId, password);
    const { header } = opened;
    const watched = header.watched.filter((one) => one.address !== address);
    if (watched.length === header.watched.length) throw noAccount(address);
    await this.#rewrite(opened, { ...header, watched }, password);
  }

  async setLabel(walletId: string, password: SecretBytes, address: string, label: string): Promise<Account> {
    checkLabel(label);
    using opened = await this.open(walletId, password);
    const { header } = opened;
    const publicKey = findAccount(walletOf(header), (one) => one.address === address).public_key;
    const changed = {
      ...header,
      accounts: header.accounts.map((one) => (one.public_key === publicKey ? { ...one, label } : one)),
      watched: header.watched.map((one) => (one.address === address ? { ...one, label } : one)),
    };
    return findAccount(await this.#rewrite(opened, changed, password), (one) => one.address === address);
  }

  async exportPhrase(walletId: string, password: SecretBytes): Promise<SecretBytes> {
    using opened = await this.open(walletId, password);
    return opened.secret.phrase();
  }

  async exportKey(walletId: string, password: SecretBytes, address?: string): Promise<SecretBytes> {
    using opened = await this.open(walletId, password);
    const { accounts } = opened.header;
    const wallet = walletOf(opened.header);
    const account = findAccount(wallet, (one) => one.address === (address ?? wallet.address));
    const own = accounts.find(({ public_key }) => public_key === account.public_key);
    if (own === undefined) throw noAccount(account.address);
    const [key] = await opened.secret.accountKeys([own.index]);
    if (key === undefined) throw noAccount(account.address);
    return key;
  }

  async exportFile(walletId: string, password: SecretBytes): Promise<Uint8Array> {
    using opened = await this.open(walletId, password);
    return opened.file;
  }

  async importFile(file: Uint8Array, password: SecretBytes, walletId?: string): Promise<Wallet> {
    const { header, secret: opened } = await openWallet(this.#deps, file, password);
    using secret = opened;
    const id = checkWalletId(walletId ?? header.wallet_id);
    const renamed = id !== header.wallet_id;
    // The id is bound to the password too: a file of another name is written anew.
    const bytes = renamed
      ? await sealWallet(this.#deps, { ...header, wallet_id: id }, secret, password)
      : file;
    await this.#deps.files.create(id, bytes, (written) => this.#try(written, password));
    return this.get(id);
  }

  /** Decrypts a file that lies elsewhere. @throws AppError KEYSTORE_DAMAGED, INVALID_CREDENTIALS */
  check(file: Uint8Array, password: SecretBytes): Promise<void> {
    return this.#try(file, password);
  }

  async delete(walletId: string, password: SecretBytes): Promise<void> {
    using _opened = await this.open(walletId, password);
    await this.#deps.files.remove(walletId);
  }

  /** Decrypts a wallet; whoever opens it disposes of it. @throws as every method of a Keystore */
  async open(walletId: string, password: SecretBytes): Promise<Opened> {
    const { file } = await this.#reader.read(walletId);
    const { header, secret } = await openWallet(this.#deps, file, password);
    return { file, header, secret, [Symbol.dispose]: () => secret[Symbol.dispose]() };
  }

  #newSecret(given: NewSecret | undefined): WalletSecret {
    if (given === undefined) return WalletSecret.generate(this.#deps.random);
    return given.kind === "phrase" ? WalletSecret.fromPhrase(given.phrase) : WalletSecret.fromKey(given.key);
  }

  async #rewrite({ file, secret }: Opened, header: WalletHeader, password: SecretBytes): Promise<Wallet> {
    const bytes = await sealWallet(this.#deps, header, secret, password);
    await this.#deps.files.replace(header.wallet_id, file, bytes, (written) => this.#try(written, password));
    return walletOf(parseKeystore(bytes).header);
  }

  /** What was written must open with the password, or it does not take its place. */
  async #try(written: Uint8Array, password: SecretBytes): Promise<void> {
    const { secret } = await openWallet(this.#deps, written, password);
    secret[Symbol.dispose]();
  }
}

function checkLabel(label: string): void {
  if (Label.safeParse(label).success) return;
  throw new AppError("INVALID_ARGUMENT", "a label is one line of at most 100 printable characters");
}

function findAccount({ accounts }: Wallet, matches: (account: Account) => boolean): Account {
  const account = accounts.find(matches);
  if (account === undefined) throw noAccount();
  return account;
}

function noAccount(address?: string): AppError {
  return new AppError("ACCOUNT_NOT_FOUND", `the wallet has no key of ${address ?? "this address"}`);
}

const tooMany = (): AppError =>
  new AppError(
    "INVALID_ARGUMENT",
    `a wallet has at most ${MAX_ACCOUNTS} accounts and as many watched addresses`,
  );
