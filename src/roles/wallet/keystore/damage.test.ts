import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GOOD_PASSWORD, keystoreIn, secret, temporaryDirectory } from "../../../../test/harness/keystore.ts";
import { addressOfModule } from "../../../crypto/address.ts";
import { fromBase64Url, toBase64Url } from "../../../crypto/bytes.ts";
import { type Canonicalizable, canonicalize } from "../../../crypto/canonical-json.ts";
import { sha256Hex } from "../../../crypto/hash.ts";
import { MAX_KEYSTORE_BYTES, parseKeystore, walletOf } from "./format.ts";

type Json = { [name: string]: Json } | Json[] | string | number;
interface Document {
  checksum: string;
  ciphertext: string;
  header: { [name: string]: Json } & { kdf: { [name: string]: Json } };
  nonce: string;
}

const temporary = temporaryDirectory();
const keystore = keystoreIn(temporary.path);
const path = join(temporary.path, "main.json");
let file: Buffer;

beforeAll(async () => {
  await keystore.create({ walletId: "main", password: secret(GOOD_PASSWORD), metadata: { note: "ü" } });
  await keystore.watch("main", secret(GOOD_PASSWORD), addressOfModule("x"), "label");
  file = readFileSync(path);
});
afterAll(() => temporary[Symbol.dispose]());

/** The code with which a file of these bytes is refused when it is opened, and when it is only looked at. */
async function refusals(bytes: Uint8Array): Promise<readonly (string | undefined)[]> {
  writeFileSync(path, bytes);
  const calls = [keystore.exportPhrase("main", secret(GOOD_PASSWORD)), keystore.get("main")];
  const results = await Promise.allSettled(calls);
  return results.map((result) => (result.status === "rejected" ? result.reason.code : undefined));
}

/** The same for bytes that lie in memory, which is quicker. */
async function refusalsInMemory(bytes: Uint8Array): Promise<readonly (string | undefined)[]> {
  const calls = [
    keystore.check(bytes, secret(GOOD_PASSWORD)),
    (async () => void walletOf(parseKeystore(bytes).header))(),
  ];
  const results = await Promise.allSettled(calls);
  return results.map((result) => (result.status === "rejected" ? result.reason.code : undefined));
}

const REFUSED = ["KEYSTORE_DAMAGED", "KEYSTORE_DAMAGED"];

/** The file with a change to what it says, and with the checksum that fits: what an attacker can write. */
function forge(change: (document: Document) => void): Buffer {
  const { checksum: _old, ...content } = structuredClone(JSON.parse(file.toString()) as Document);
  const document = { ...content, checksum: "" };
  change(document);
  const { checksum: _none, ...rest } = document;
  return seal(rest);
}

/** A file of any content, with the checksum that fits. */
function seal(content: { readonly [name: string]: Canonicalizable }): Buffer {
  const value: Canonicalizable = { ...content, checksum: sha256Hex(canonicalize(content)) };
  return Buffer.from(`${canonicalize(value)}\n`);
}

describe("a damaged keystore file", () => {
  it("opens as it was written, and so does one that was put together again", async () => {
    expect(await refusals(file)).toEqual([undefined, undefined]);
    expect(forge(() => {})).toEqual(file);
  });

  it("is refused with one error for every single bit that is changed", async () => {
    for (let at = 0; at < file.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(file);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
        const codes = await refusalsInMemory(flipped);
        if (codes.join() !== REFUSED.join()) expect({ at, bit, codes }).toEqual({ at, bit, codes: REFUSED });
        // One bit of each byte also in a file.
        if (bit === at % 8)
          expect({ at, bit, codes: await refusals(flipped) }).toEqual({ at, bit, codes: REFUSED });
      }
    }
  });

  it("is refused with the same error when it is cut off anywhere, or longer", async () => {
    for (let length = 0; length < file.length; length++) {
      const codes = await refusals(file.subarray(0, length));
      expect({ length, codes }).toEqual({ length, codes: REFUSED });
    }
    for (const tail of [" ", "\n", "{}", "\0"]) {
      expect(await refusals(Buffer.concat([file, Buffer.from(tail)]))).toContain("KEYSTORE_DAMAGED");
    }
    expect(await refusals(Buffer.alloc(MAX_KEYSTORE_BYTES + 1))).toContain("KEYSTORE_DAMAGED");
  });
});

describe("anything else", () => {
  it("is refused with the same error, whatever bytes or JSON it is", async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(`${text}\n`)),
      fc
        .record({ header: fc.jsonValue(), nonce: fc.jsonValue(), ciphertext: fc.jsonValue() })
        .map((content) => seal({ ...content })),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (given) => {
        expect(await refusalsInMemory(given)).toEqual(REFUSED);
      }),
    );
  });
});

describe("a forged keystore file, its checksum in order", () => {
  const flip = (text: string): string => (text.startsWith("A") ? "B" : "A") + text.slice(1);

  it.each<[string, (document: Document) => void]>([
    [
      "another watched address",
      ({ header }) => (header["watched"] = [{ address: addressOfModule("y"), label: "label" }]),
    ],
    ["no watched address", ({ header }) => (header["watched"] = [])],
    [
      "another label",
      ({ header }) => (header["watched"] = [{ address: addressOfModule("x"), label: "other" }]),
    ],
    ["other metadata", ({ header }) => (header["metadata"] = {})],
    ["another date", ({ header }) => (header["created_at"] = "2020-01-01T00:00:00.000Z")],
    ["another salt", ({ header }) => (header.kdf["salt"] = flip(String(header.kdf["salt"])))],
    ["more passes", ({ header }) => (header.kdf["passes"] = 4)],
    ["less memory", ({ header }) => (header.kdf["memory_kib"] = 19 * 1024)],
    ["another kind of secret", ({ header }) => (header["secret"] = "key")],
    ["another nonce", (document) => (document.nonce = flip(document.nonce))],
    ["another ciphertext", (document) => (document.ciphertext = flip(document.ciphertext))],
    [
      "a shorter ciphertext",
      (document) =>
        (document.ciphertext = toBase64Url(fromBase64Url("ciphertext", document.ciphertext).subarray(1))),
    ],
    ["no ciphertext", (document) => (document.ciphertext = "")],
    [
      "the key of somebody else",
      ({ header }) => {
        header["public_key"] = "11".repeat(32);
        header["key_id"] = toBase64Url(new Uint8Array(32).fill(0x11));
        header["accounts"] = [{ index: 0, public_key: "11".repeat(32), label: "" }];
      },
    ],
  ])("does not open: %s", async (_name, change) => {
    expect(await refusals(forge(change))).toEqual(["INVALID_CREDENTIALS", undefined]);
  });

  it.each<[string, (document: Document) => void]>([
    ["too little memory", ({ header }) => (header.kdf["memory_kib"] = 19 * 1024 - 1)],
    ["too much memory", ({ header }) => (header.kdf["memory_kib"] = 1024 * 1024 + 1)],
    ["too few passes", ({ header }) => (header.kdf["passes"] = 1)],
    ["too many passes", ({ header }) => (header.kdf["passes"] = 11)],
    ["no lane", ({ header }) => (header.kdf["lanes"] = 0)],
    ["another function", ({ header }) => (header.kdf["name"] = "argon2d")],
    ["another cipher", ({ header }) => (header["cipher"] = "none")],
    ["a later version", ({ header }) => (header["version"] = 2)],
    ["an unknown member", ({ header }) => (header["more"] = 1)],
    ["a key id of another key", ({ header }) => (header["key_id"] = toBase64Url(new Uint8Array(32)))],
    ["a first account of another key", ({ header }) => (header["public_key"] = "11".repeat(32))],
    ["no account", ({ header }) => (header["accounts"] = [])],
    [
      "a label that steers the terminal",
      ({ header }) => (header["watched"] = [{ address: addressOfModule("x"), label: "\u001b[2J" }]),
    ],
    [
      "a watched address that is none",
      ({ header }) => (header["watched"] = [{ address: "ait1", label: "" }]),
    ],
  ])("is not even looked at: %s", async (_name, change) => {
    expect(await refusals(forge(change))).toEqual(REFUSED);
  });

  it("is not looked at when it is in another spelling", async () => {
    const document = JSON.parse(file.toString());
    const indented = Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
    expect(await refusals(indented)).toEqual(REFUSED);
  });
});
