import { resolve } from "node:path";

/**
 * Programs that run from their sources start twice as fast when Node finds them compiled. It keeps them by their
 * content, beside the packages: what was changed is compiled anew, and no other user can write there.
 */
export const COMPILE_CACHE = {
  NODE_COMPILE_CACHE: resolve(import.meta.dirname, "../../node_modules/.cache/aitbc-compile"),
} as const;
