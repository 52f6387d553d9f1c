/** The process that holds keys (`DIRECTORY`), with a hash of passwords that costs nothing: see `cheapSignerIn`. */
import { enableCompileCache } from "node:module";
import { COMPILE_CACHE } from "../../scripts/lib/compile-cache.ts";

// Its parent gives it no variable for Node.
enableCompileCache(COMPILE_CACHE.NODE_COMPILE_CACHE);
const { createFileKeystore, runSignerChild } = await import("../../src/roles/wallet/offline.ts");
const { cheapBinding } = await import("./cheap-kdf.ts");
const [directory = ""] = process.argv.slice(2);
runSignerChild(
  createFileKeystore(directory, () => cheapBinding),
  { input: process.stdin, output: process.stdout },
);
