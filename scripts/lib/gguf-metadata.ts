/** A value of a GGUF header, as far as JSON can hold it. */
export type GgufValue = number | string | boolean | readonly GgufValue[];

/** "GGUF", little endian. */
const MAGIC = 0x46554747;
const STRING = 8;
const ARRAY = 9;

/** Readers and sizes of the other types, by their number in the GGUF specification. */
const FIXED: Readonly<Record<number, readonly [bytes: number, read: (b: Buffer, at: number) => GgufValue]>> =
  {
    0: [1, (b, at) => b.readUInt8(at)],
    1: [1, (b, at) => b.readInt8(at)],
    2: [2, (b, at) => b.readUInt16LE(at)],
    3: [2, (b, at) => b.readInt16LE(at)],
    4: [4, (b, at) => b.readUInt32LE(at)],
    5: [4, (b, at) => b.readInt32LE(at)],
    6: [4, (b, at) => b.readFloatLE(at)],
    7: [1, (b, at) => b.readUInt8(at) !== 0],
    10: [8, (b, at) => Number(b.readBigUInt64LE(at))],
    11: [8, (b, at) => Number(b.readBigInt64LE(at))],
    12: [8, (b, at) => b.readDoubleLE(at)],
  };

/** Reads all metadata of a GGUF file (version 2 or 3) that is known to be whole: one of this repository. */
export function readGgufMetadata(file: Buffer): ReadonlyMap<string, GgufValue> {
  let at = 0;
  const read = (type: number): GgufValue => {
    const fixed = FIXED[type];
    if (!fixed) throw new Error(`the header has a value of unknown type ${type}`);
    const value = fixed[1](file, at);
    at += fixed[0];
    return value;
  };
  const readNumber = (type: number): number => Number(read(type));
  const readText = (): string => {
    const bytes = readNumber(10);
    at += bytes;
    return file.toString("utf8", at - bytes, at);
  };
  const readValue = (type: number): GgufValue => {
    if (type === STRING) return readText();
    if (type !== ARRAY) return read(type);
    const element = readNumber(4);
    return Array.from({ length: readNumber(10) }, () => readValue(element));
  };
  if (readNumber(4) !== MAGIC) throw new Error("it is not a GGUF file");
  const version = readNumber(4);
  if (version !== 2 && version !== 3) throw new Error(`GGUF version ${version} is not supported`);
  readNumber(10);
  const entries = readNumber(10);
  return new Map(Array.from({ length: entries }, () => [readText(), readValue(readNumber(4))]));
}
