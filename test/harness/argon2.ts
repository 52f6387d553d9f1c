import { loadArgon2Binding } from "../../src/app/addon.ts";
import { type Argon2Binding, type Argon2id, createArgon2id } from "../../src/crypto/argon2id.ts";

/** The native part of argon2, as it is loaded from its package. */
export const argon2Binding: Argon2Binding = loadArgon2Binding("");

/** Argon2id as the product runs it: 64 MiB take a fifth of a second. */
export const argon2id: Argon2id = createArgon2id(argon2Binding);
