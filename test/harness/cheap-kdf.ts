import { createHash } from "node:crypto";
import { type Argon2Binding, type Argon2id, createArgon2id } from "../../src/crypto/argon2id.ts";

/** In place of argon2's native part, at no cost, for tests of everything but the hash itself. */
export const cheapBinding: Argon2Binding = {
  hash: async ({ password, salt, m, t, p }) =>
    createHash("sha256").update(`${m},${t},${p},`).update(salt).update(password).digest(),
};

/** A key from a password at no cost. */
export const cheapKdf: Argon2id = createArgon2id(cheapBinding);
