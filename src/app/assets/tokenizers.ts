/**
 * The tokenizers that ship with the program, written by scripts/gen-tokenizer.ts. One that was shipped stays:
 * running jobs and receipts name it by its hash.
 */
export const TOKENIZERS = [
  {
    asset: "aitbc-tiny.tokenizer.json",
    sha256: "9ba3c344379c13fc2f3bfba60a1dd26fb49be15378cb21334e277c74e892934e",
    model_sha256: "3c4bcaa34958b1612d1a6e702240d660fda93c72fc2b6b770feea2259f5bd397",
  },
] as const;
