import { constants } from "node:os";

/** Loads a native add-on from a file. Throws what the loader throws. */
export function loadAddonFile(path: string): object {
  const addon: { exports: object } = { exports: {} };
  process.dlopen(addon, path, constants.dlopen.RTLD_NOW);
  return addon.exports;
}
