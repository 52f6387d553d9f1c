import { readSync } from "node:fs";
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { SecretBytes } from "../../../crypto/secret-bytes.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { Io } from "../../io.ts";

/** Longest secret, in bytes: far above any password, phrase or key. */
const MAX_SECRET_BYTES = 8192;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Where a secret comes from: a file, a file descriptor, or else a person. Never the command line. */
export interface SecretSource {
  readonly file?: string | undefined;
  readonly fd?: number | undefined;
  /** Options that name a source, for the error. */
  readonly options: string;
}

export interface PasswordOptions {
  readonly passwordFile?: string;
  readonly passwordFd?: number;
}

export interface NewPasswordOptions {
  readonly newPasswordFile?: string;
  readonly newPasswordFd?: number;
}

const PASSWORD_OPTIONS = "--password-file FILE or --password-fd N";
const NEW_PASSWORD_OPTIONS = "--new-password-file FILE or --new-password-fd N";

/** The password of a wallet that is there. @throws AppError INVALID_ARGUMENT, INTERRUPTED */
export function readPassword(io: Io, { passwordFile, passwordFd }: PasswordOptions): Promise<SecretBytes> {
  const source = { file: passwordFile, fd: passwordFd, options: PASSWORD_OPTIONS };
  return readSecret(io, source, "Password: ");
}

/** A password for a new wallet; a person types it twice. @throws AppError INVALID_ARGUMENT, INTERRUPTED */
export function chooseFirstPassword(
  io: Io,
  { passwordFile, passwordFd }: PasswordOptions,
): Promise<SecretBytes> {
  return choosePassword(io, { file: passwordFile, fd: passwordFd, options: PASSWORD_OPTIONS });
}

/** A password in place of another; a person types it twice. @throws AppError INVALID_ARGUMENT, INTERRUPTED */
export function chooseNextPassword(
  io: Io,
  { newPasswordFile, newPasswordFd }: NewPasswordOptions,
): Promise<SecretBytes> {
  return choosePassword(io, { file: newPasswordFile, fd: newPasswordFd, options: NEW_PASSWORD_OPTIONS });
}

async function choosePassword(io: Io, source: SecretSource): Promise<SecretBytes> {
  const password = await readSecret(io, source, "New password: ");
  if (source.file !== undefined || source.fd !== undefined) return password;
  using again = await readSecret(io, source, "Again: ");
  if (Buffer.compare(password.bytes, again.bytes) === 0) return password;
  password[Symbol.dispose]();
  throw new AppError("INVALID_ARGUMENT", "the two passwords are not the same");
}

/** A secret of one line, without the newline at its end. @throws AppError INVALID_ARGUMENT, INTERRUPTED */
export async function readSecret(
  io: Io,
  { file, fd, options }: SecretSource,
  prompt: string,
): Promise<SecretBytes> {
  if (file !== undefined && fd !== undefined) throw refuse(`only one of ${options}`);
  if (file !== undefined) return readFromFile(resolve(io.cwd, file));
  if (fd !== undefined) return readFromDescriptor(fd);
  if (io.readSecret === undefined) throw refuse(`nobody can be asked here: use ${options}`);
  return io.readSecret(prompt);
}

async function readFromFile(path: string): Promise<SecretBytes> {
  try {
    await using handle = await open(path, "r");
    return await takeLine(path, (buffer, at) =>
      handle.read(buffer, at, buffer.length - at).then(({ bytesRead }) => bytesRead),
    );
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("INVALID_ARGUMENT", `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}

async function readFromDescriptor(fd: number): Promise<SecretBytes> {
  try {
    return await takeLine(`file descriptor ${fd}`, async (buffer, at) =>
      readSync(fd, buffer, at, buffer.length - at, null),
    );
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("INVALID_ARGUMENT", `cannot read file descriptor ${fd}`, { cause });
  }
}

/** Reads to the end into a buffer of our own, which is wiped. */
async function takeLine(
  name: string,
  read: (buffer: Buffer, at: number) => Promise<number>,
): Promise<SecretBytes> {
  const buffer = Buffer.alloc(MAX_SECRET_BYTES + 1);
  try {
    let length = 0;
    for (let more = 1; more > 0 && length < buffer.length; length += more) more = await read(buffer, length);
    if (length > MAX_SECRET_BYTES) throw refuse(`${name} holds more than ${MAX_SECRET_BYTES} bytes`);
    if (buffer[length - 1] === NEWLINE) length--;
    if (buffer[length - 1] === RETURN) length--;
    return new SecretBytes(Uint8Array.from(buffer.subarray(0, Math.max(0, length))));
  } finally {
    buffer.fill(0);
  }
}

const refuse = (problem: string): AppError => new AppError("INVALID_ARGUMENT", problem);
