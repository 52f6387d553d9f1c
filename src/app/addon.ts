import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { Argon2Binding } from "../crypto/argon2id.ts";
import { AppError } from "../kernel/errors.ts";
import { ARGON2_ASSET } from "./assets/manifest.ts";
import { cacheError, ensureLoadable } from "./assets/private-cache.ts";
import { materialize, SINGLE_FILE } from "./assets.ts";
import { loadAddonFile } from "./load-addon.ts";

/** Loads a native add-on of the single file. @throws AppError CACHE_UNUSABLE */
export function loadAddon(asset: string, cacheDir: string): object {
  const path = materialize(asset, cacheDir);
  ensureLoadable(cacheDir, path);
  try {
    return loadAddonFile(path);
  } catch (error) {
    throw cacheError(cacheDir, error);
  }
}

/**
 * The native part of argon2: from the cache in the single file, else the one that its package ships for this machine.
 * @throws AppError CACHE_UNUSABLE; UNSUPPORTED_FEATURE where the package has none for this machine
 */
export function loadArgon2Binding(cacheDir: string): Argon2Binding {
  // The package's own declarations do not show the native part; its test vectors are in test/conformance.
  if (SINGLE_FILE) return loadAddon(ARGON2_ASSET, cacheDir) as Argon2Binding;
  const require = createRequire(import.meta.url);
  const entry = require.resolve("argon2");
  try {
    // Not the package itself, whose JavaScript copies passwords.
    return createRequire(entry)("node-gyp-build")(dirname(entry));
  } catch (cause) {
    throw new AppError("UNSUPPORTED_FEATURE", "argon2 has no native part for this machine", { cause });
  }
}
