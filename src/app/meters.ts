import { sha256Hex } from "../crypto/hash.ts";
import { createMeters, type Meters } from "../domain/job/meters.ts";
import type { TokenizerFile } from "../domain/job/tokenizer.ts";
import { AppError } from "../kernel/errors.ts";
import { TOKENIZERS } from "./assets/tokenizers.ts";
import { getAsset } from "./assets.ts";

/** The meters of this program: bytes/4, and one for each tokenizer that ships with it. Nothing is read before its use. */
export function createAppMeters(): Meters {
  return createMeters(
    TOKENIZERS.map(({ asset, ...tokenizer }) => ({
      ...tokenizer,
      load: () => readTokenizer(asset, tokenizer.sha256),
    })),
  );
}

function readTokenizer(asset: string, sha256: string): TokenizerFile {
  const bytes = getAsset(asset);
  if (sha256Hex(bytes) !== sha256) throw new AppError("INTERNAL", `${asset} is not the tokenizer ${sha256}`);
  // Bytes of this hash are the file that scripts/gen-tokenizer.ts wrote.
  return JSON.parse(Buffer.from(bytes).toString()) as TokenizerFile;
}
