/** The meters that a program knows: bytes/4, and one for each tokenizer that it has. */
import type { AnswerFormat } from "./answer.ts";
import { createDeltaMeter, DELTA_METER_PREFIX } from "./deltas.ts";
import { BYTES_METER, type Meter } from "./meter.ts";
import { Tokenizer, type TokenizerFile } from "./tokenizer.ts";

/** A tokenizer that a program has. */
export interface KnownTokenizer {
  /** SHA-256 (hex) of the tokenizer's file: the meter's name. */
  readonly sha256: string;
  /** SHA-256 (hex) of the model that reads and writes these tokens. */
  readonly model_sha256: string;
  /** Called once, when something is first counted. */
  load(): TokenizerFile;
}

export interface Meters {
  /** The meter of a name, or undefined where this program cannot count by it. */
  find(name: string): Meter | undefined;
  /** The meter for answers in this format by the model of this digest (`sha256:…`): its tokens, else bytes/4. */
  forModel(digest: string, format?: AnswerFormat): Meter;
}

/** @param tokenizers are read only when they are used */
export function createMeters(tokenizers: readonly KnownTokenizer[]): Meters {
  const byName = new Map<string, Meter>([[BYTES_METER.name, BYTES_METER]]);
  const byModel = new Map<string, Meter>();
  for (const known of tokenizers) {
    const meter = createTokenMeter(known);
    byName.set(meter.name, meter);
    byModel.set(`sha256:${known.model_sha256}`, meter);
  }
  for (const meter of [...byName.values()]) {
    const deltas = createDeltaMeter(meter);
    byName.set(deltas.name, deltas);
  }
  return {
    find: (name) => byName.get(name),
    forModel(digest, format = "text") {
      const meter = byModel.get(digest) ?? BYTES_METER;
      return format === "text" ? meter : (byName.get(DELTA_METER_PREFIX + meter.name) ?? meter);
    },
  };
}

/** For those who have no tokenizer. */
export const BYTES_ONLY: Meters = createMeters([]);

function createTokenMeter({ sha256, load }: KnownTokenizer): Meter {
  let tokenizer: Tokenizer | undefined;
  return {
    name: `tok:${sha256}`,
    counter() {
      tokenizer ??= new Tokenizer(load());
      return tokenizer.counter();
    },
  };
}
