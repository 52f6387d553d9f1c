/** Getting wallets out and in: backup and restore, export and import. */
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fromHex, toHex } from "../../../crypto/bytes.ts";
import { sha256Hex } from "../../../crypto/hash.ts";
import { SecretBytes } from "../../../crypto/secret-bytes.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { FileKeystore, NewSecret } from "../../../roles/wallet/index.ts";
import { formatRecord, printResult } from "../../format.ts";
import type { Io } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { writeNewFile } from "./files.ts";
import { openKeystore } from "./open.ts";
import { chooseFirstPassword, type PasswordOptions, readPassword, readSecret } from "./secrets.ts";
import { briefOf, formatWallet } from "./view.ts";

type UnlockOptions = GlobalOptions & PasswordOptions;

/** Largest keystore file that is read, in bytes. */
const MAX_FILE_BYTES = 1024 * 1024;
const KEY_BYTES = 32;

/** Copies a wallet's keystore file, and decrypts the copy before it says so. */
export async function backUpWallet(
  io: Io,
  walletId: string,
  file: string,
  options: UnlockOptions,
): Promise<void> {
  const keystore = await openKeystore(io, options);
  using password = await readPassword(io, options);
  const bytes = await keystore.exportFile(walletId, password);
  const path = resolve(io.cwd, file);
  await writeNewFile(path, bytes);
  await keystore.check(await readKeystoreFile(path), password);
  const value = { wallet_id: walletId, file: path, sha256: sha256Hex(bytes) };
  await printResult(
    io,
    options.output ?? "table",
    value,
    () =>
      `${formatRecord(Object.entries(value))}\nThe copy was decrypted. It opens with the password of today.`,
  );
}

export interface RestoreOptions extends GlobalOptions, PasswordOptions {
  readonly as?: string;
}

/** Takes a backup in after decrypting it. A wallet that is there is never replaced. */
export async function restoreWallet(io: Io, file: string, options: RestoreOptions): Promise<void> {
  const keystore = await openKeystore(io, options);
  const bytes = await readKeystoreFile(resolve(io.cwd, file));
  using password = await readPassword(io, options);
  const wallet = await keystore.importFile(bytes, password, options.as);
  await printResult(io, options.output ?? "table", briefOf(wallet), () => formatWallet(wallet));
}

export interface ImportOptions extends GlobalOptions, PasswordOptions {
  readonly phraseFile?: string;
  readonly keyFile?: string;
  readonly keystore?: string;
}

/** Makes a wallet from a phrase, a raw key or a keystore file; a phrase is asked for when nothing is named. */
export async function importWallet(io: Io, walletId: string, options: ImportOptions): Promise<void> {
  const { phraseFile, keyFile, keystore: file } = options;
  if ([phraseFile, keyFile, file].filter((one) => one !== undefined).length > 1) {
    throw new AppError("INVALID_ARGUMENT", "only one of --phrase-file, --key-file and --keystore");
  }
  if (file !== undefined) return restoreWallet(io, file, { ...options, as: walletId });
  const keystore = await openKeystore(io, options);
  const secret = await readNewSecret(io, options);
  using _given = secret.kind === "phrase" ? secret.phrase : secret.key;
  using password = await chooseFirstPassword(io, options);
  const wallet = await keystore.create({ walletId, password, secret });
  await printResult(io, options.output ?? "table", briefOf(wallet), () => formatWallet(wallet));
}

async function readNewSecret(io: Io, { phraseFile, keyFile }: ImportOptions): Promise<NewSecret> {
  if (keyFile === undefined) {
    const source = { file: phraseFile, options: "--phrase-file FILE" };
    return { kind: "phrase", phrase: await readSecret(io, source, "Recovery phrase: ") };
  }
  using written = await readSecret(io, { file: keyFile, options: "--key-file FILE" }, "Secret key: ");
  return { kind: "key", key: parseKey(written) };
}

/** A raw key: 32 bytes, or the same as 64 hex characters or base64. The error does not quote it. */
function parseKey({ bytes }: SecretBytes): SecretBytes {
  if (bytes.length === KEY_BYTES) return new SecretBytes(Uint8Array.from(bytes));
  const text = new TextDecoder().decode(bytes).trim();
  if (/^[0-9a-fA-F]{64}$/.test(text)) return new SecretBytes(fromHex("key", text.toLowerCase()));
  const decoded = Buffer.from(text, "base64");
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text) && decoded.length === KEY_BYTES) return new SecretBytes(decoded);
  throw new AppError("INVALID_ARGUMENT", "a secret key is 32 bytes, as they are or as hex or base64");
}

export interface ExportOptions extends GlobalOptions, PasswordOptions {
  readonly phrase?: boolean;
  readonly key?: boolean;
  readonly keystore?: boolean;
  readonly account?: string;
  readonly file?: string;
}

/** Prints what a wallet can be made from again, or writes it to a new file of its owner alone. */
export async function exportWallet(io: Io, walletId: string, options: ExportOptions): Promise<void> {
  const chosen = [options.phrase, options.key, options.keystore].filter((one) => one === true).length;
  if (chosen !== 1) throw new AppError("INVALID_ARGUMENT", "one of --phrase, --key and --keystore");
  const keystore = await openKeystore(io, options);
  using password = await readPassword(io, options);
  const { name, text } = await readOut(keystore, walletId, password, options);
  if (options.file !== undefined) {
    const path = resolve(io.cwd, options.file);
    await writeNewFile(path, Buffer.from(`${text}\n`));
    const value = { wallet_id: walletId, file: path };
    return printResult(io, options.output ?? "table", value, () => formatRecord(Object.entries(value)));
  }
  await printResult(io, options.output ?? "table", { wallet_id: walletId, [name]: text }, () => text);
}

async function readOut(
  keystore: FileKeystore,
  walletId: string,
  password: SecretBytes,
  { phrase, key, account }: ExportOptions,
): Promise<{ readonly name: string; readonly text: string }> {
  if (phrase) {
    using words = await keystore.exportPhrase(walletId, password);
    return { name: "phrase", text: new TextDecoder().decode(words.bytes) };
  }
  if (key) {
    using secret = await keystore.exportKey(walletId, password, account);
    return { name: "secret_key", text: toHex(secret.bytes) };
  }
  const file = await keystore.exportFile(walletId, password);
  return { name: "keystore", text: new TextDecoder().decode(file).trimEnd() };
}

async function readKeystoreFile(path: string): Promise<Uint8Array> {
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES) {
      throw new AppError("INVALID_ARGUMENT", `${path} is no keystore file: too large`);
    }
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("INVALID_ARGUMENT", `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}
