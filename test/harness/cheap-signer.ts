/** The process that holds keys (`DIRECTORY`), with a hash of passwords that costs nothing: see `cheapSignerIn`. */
import { enableCompileCache } from "node:module";

// Its parent gives it no variable for Node.
enableCompileCache(`${import.meta.dirname}/../../node_modules/.cache/aitbc-compile`);
const { createFileKeystore, runSignerChild } = await import("../../src/roles/wallet/offline.ts");
const { cheapBinding } = await import("./cheap-kdf.ts");
const [directory = ""] = process.argv.slice(2);
runSignerChild(
  createFileKeystore(directory, () => cheapBinding),
  { input: process.stdin, output: process.stdout },
);
