/** Argon2id (RFC 9106), version 0x13: a key of 32 bytes from a password. */
import { AppError } from "../kernel/errors.ts";
import { Semaphore } from "../kernel/semaphore.ts";
import { checkLength } from "./bytes.ts";

export const ARGON2_SALT_BYTES = 16;
export const ARGON2_KEY_BYTES = 32;

/** `y` and `v` of RFC 9106 §3.2. */
const ARGON2ID = 2;
const VERSION = 0x13;

/**
 * Hashes at once in one process. Each fills its memory on a thread of libuv's pool: with two of them half of the
 * four threads stay free for files and signatures, and many logins together take 128 MiB instead of all there is.
 */
const MAX_CONCURRENT = 2;
/** Hashes that wait, a few seconds' worth. */
const MAX_WAITING = 64;

/** The native part of the package argon2: it hashes on a thread of the pool, and wipes its copy of the password. */
export interface Argon2Binding {
  hash(input: {
    readonly password: Buffer;
    readonly salt: Buffer;
    readonly secret: Buffer;
    readonly data: Buffer;
    readonly hashLength: number;
    /** KiB. */
    readonly m: number;
    readonly t: number;
    readonly p: number;
    readonly version: number;
    readonly type: number;
  }): Promise<Buffer>;
}

/** Costs of one hash (RFC 9106 §3.1: m, t, p). */
export interface Argon2Costs {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

/** Derives 32 bytes from a password and a salt of 16 bytes. The caller wipes both password and result. */
export type Argon2id = (password: Uint8Array, salt: Uint8Array, costs: Argon2Costs) => Promise<Uint8Array>;

/** Argon2id over its native part, at most two hashes at once. */
export function createArgon2id(binding: Argon2Binding): Argon2id {
  const semaphore = new Semaphore(MAX_CONCURRENT, MAX_WAITING);
  return (password, salt, costs) => semaphore.run(() => hash(binding, password, salt, costs));
}

async function hash(
  binding: Argon2Binding,
  password: Uint8Array,
  salt: Uint8Array,
  { memoryKib, passes, lanes }: Argon2Costs,
): Promise<Uint8Array> {
  checkLength("salt", salt, ARGON2_SALT_BYTES);
  try {
    return await binding.hash({
      password: view(password),
      salt: view(salt),
      secret: Buffer.alloc(0),
      data: Buffer.alloc(0),
      hashLength: ARGON2_KEY_BYTES,
      m: memoryKib,
      t: passes,
      p: lanes,
      version: VERSION,
      type: ARGON2ID,
    });
  } catch (cause) {
    // The machine has no memory left for it, or the costs are out of RFC 9106's range.
    throw new AppError("INTERNAL", `Argon2id failed: ${String(cause)}`, { cause });
  }
}

const view = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
