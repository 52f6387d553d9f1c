import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { addressOfKey, addressOfModule, isAddress } from "../../src/crypto/address.ts";
import { fromHex, fromUtf8, toHex, utf8 } from "../../src/crypto/bytes.ts";
import { type Canonicalizable, canonicalize, canonicalizeSigned } from "../../src/crypto/canonical-json.ts";
import { verify } from "../../src/crypto/ed25519.ts";
import { verifyWithPoints } from "../../src/crypto/ed25519-browser.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { merkleRoot, verifyMerkleProof } from "../../src/crypto/merkle.ts";
import type { Terms } from "../../src/domain/job/terms.ts";
import { termsHash } from "../../src/domain/job/terms.ts";
import { parseReceipt } from "../../src/domain/receipt/parse.ts";
import { verifyReceipt } from "../../src/domain/receipt/verify.ts";
import { parseJson } from "../../src/kernel/json.ts";
import { sha512 } from "../harness/mixed-order.ts";
import { countPlainly, readTinyTokenizer } from "../harness/tokenizer.ts";

const PROTOCOLS = join(import.meta.dirname, "../../protocols");
const readText = (path: string): string => readFileSync(join(PROTOCOLS, path), "utf8");
// The generated files are ours; each test reads the members it names.
const read = <T>(path: string): T => JSON.parse(readText(path)) as T;

interface Sample {
  readonly [member: string]: unknown;
}
const SAMPLES = ["completed", "failed", "legacy"] as const;
const sample = (name: string): Sample => read<Sample>(`receipts/samples/${name}.json`);

describe("the receipt schema", () => {
  const schema = z.fromJSONSchema(read("receipts/receipt.schema.json"));

  /** Both the schema and the parser say whether a document is a receipt. */
  function judge(document: unknown): { schema: boolean; parser: boolean } {
    let parser = true;
    try {
      parseReceipt(JSON.stringify(document));
    } catch {
      parser = false;
    }
    return { schema: schema.safeParse(document).success, parser };
  }

  it.each(SAMPLES)("accepts the sample %s, as the parser does", (name) => {
    expect(judge(sample(name))).toEqual({ schema: true, parser: true });
  });

  it.each(SAMPLES)("judges %s as the parser does when any member is missing or of another type", (name) => {
    const document = sample(name);
    let refused = 0;
    for (const member of Object.keys(document)) {
      for (const value of [undefined, null, true, "", -1, 1.5, [], {}]) {
        const changed = { ...document, [member]: value };
        if (value === undefined) delete changed[member];
        const judged = judge(changed);
        expect({ member, value, parser: judged.parser }).toEqual({ member, value, parser: judged.schema });
        if (!judged.parser) refused++;
      }
    }
    expect(refused).toBeGreaterThan(20);
  });
});

describe("the receipt samples", () => {
  const evidence = read<{
    coordinator_key: string;
    miner_key: string;
    terms: Terms;
    request: { prompt: string };
    output: string;
  }>("receipts/samples/evidence.json");
  const pins = { coordinatorKeys: [evidence.coordinator_key], minerKeys: [evidence.miner_key] };

  it.each(["completed", "failed"])("%s verifies with terms, request and output", (name) => {
    const parsed = parseReceipt(readText(`receipts/samples/${name}.json`));
    const verification = verifyReceipt(
      parsed,
      { terms: evidence.terms, request: { ...evidence.request }, output: utf8(evidence.output) },
      pins,
    );
    expect(verification.lines.filter(({ status }) => status === "failed")).toEqual([]);
    expect(verification.verdict).toBe("verified");
  });

  it("legacy verifies", () => {
    expect(verifyReceipt(parseReceipt(readText("receipts/samples/legacy.json"))).verdict).toBe(
      "signer_unknown",
    );
  });

  it("have the published canonical bytes and hashes", () => {
    const { receipts } = read<{ receipts: { sample: string; canonical: string; receipt_hash: string }[] }>(
      "vectors/receipts.json",
    );
    expect(receipts).toHaveLength(SAMPLES.length);
    for (const { sample: file, canonical, receipt_hash } of receipts) {
      const { bytes } = parseReceipt(readText(`receipts/samples/${file}`));
      expect(fromUtf8("bytes", bytes)).toBe(canonical);
      expect(sha256Hex(bytes)).toBe(receipt_hash);
    }
  });
});

describe("protocols/vectors", () => {
  it("canonical-json.json", () => {
    const file = read<{
      signed: { text: string; canonical: string; sha256: string }[];
      any: { text: string; canonical: string; sha256: string }[];
      refused_as_signed: string[];
      refused_by_the_parser: string[];
    }>("vectors/canonical-json.json");
    for (const { text, canonical, sha256 } of file.signed) {
      expect(canonicalizeSigned(parseJson(text))).toBe(canonical);
      expect(sha256Hex(canonical)).toBe(sha256);
    }
    for (const { text, canonical } of file.any) expect(canonicalize(parseJson(text))).toBe(canonical);
    for (const text of file.refused_as_signed) expect(() => canonicalizeSigned(parseJson(text))).toThrow();
    for (const text of file.refused_by_the_parser) expect(() => parseJson(text)).toThrow();
  });

  it("ed25519.json, on the server and with points", () => {
    const { cases } = read<{
      cases: { comment: string; public_key: string; message: string; signature: string; valid: boolean }[];
    }>("vectors/ed25519.json");
    const bytes = (hex: string): Uint8Array => fromHex("hex", hex);
    for (const { comment, public_key, message, signature, valid } of cases) {
      const input = [bytes(signature), bytes(message), bytes(public_key)] as const;
      expect({ comment, valid: verify(...input) }).toEqual({ comment, valid });
      expect({ comment, valid: verifyWithPoints(...input, sha512) }).toEqual({ comment, valid });
    }
    const mixed = cases.filter(({ comment }) => comment.startsWith("A + T"));
    expect([mixed.length, mixed.some(({ valid }) => valid), mixed.some(({ valid }) => !valid)]).toEqual([
      64,
      true,
      true,
    ]);
  });

  it("addresses.json", () => {
    const file = read<{
      keys: { public_key: string; address: string }[];
      modules: { name: string; address: string }[];
      refused: string[];
    }>("vectors/addresses.json");
    for (const { public_key, address } of file.keys)
      expect(addressOfKey(fromHex("key", public_key))).toBe(address);
    for (const { name, address } of file.modules) expect(addressOfModule(name)).toBe(address);
    for (const address of file.refused) expect(isAddress(address)).toBe(false);
  });

  it("merkle.json", () => {
    const { trees } = read<{ trees: { size: number; root: string; proofs: string[][] }[] }>(
      "vectors/merkle.json",
    );
    for (const { size, root, proofs } of trees) {
      const leaves = Array.from({ length: size }, (_, index) => utf8(`leaf ${index}`));
      expect(toHex(merkleRoot(leaves))).toBe(root);
      for (const [index, proof] of proofs.entries()) {
        const siblings = proof.map((hex) => fromHex("hash", hex, 32));
        expect(verifyMerkleProof(fromHex("root", root), size, index, utf8(`leaf ${index}`), siblings)).toBe(
          true,
        );
      }
    }
  });

  it("tokens.json", () => {
    interface Count {
      readonly text: string;
      readonly units: number;
    }
    interface Segment extends Count {
      readonly prefix: string;
    }
    const { small, builtin, max_piece_characters } = read<{
      max_piece_characters: number;
      small: {
        tokens: string[];
        scores: number[];
        texts: Count[];
        repeated: { text: string; times: number; units: number };
      };
      builtin: { meter: string; texts: Count[]; segments: Segment[] };
    }>("vectors/tokens.json");
    for (const { text, units } of small.texts)
      expect([text, countPlainly(small, text)]).toEqual([text, units]);
    // Two full pieces of pairs, and one character that is left.
    expect(small.repeated).toEqual({
      text: "a",
      times: 2 * max_piece_characters + 1,
      units: max_piece_characters + 1,
    });
    const file = readTinyTokenizer();
    for (const { text, units } of builtin.texts)
      expect([text, countPlainly(file, text)]).toEqual([text, units]);
    for (const { prefix, text, units } of builtin.segments) {
      const added = countPlainly(file, prefix + text) - countPlainly(file, prefix);
      expect([prefix, text, Math.max(0, added)]).toEqual([prefix, text, units]);
    }
    expect(builtin.meter).toBe(`tok:${sha256Hex(canonicalize({ ...file }))}`);
  });

  it("jobs.json", () => {
    interface Signed {
      readonly payload: Canonicalizable;
      readonly sign_bytes: string;
      readonly signature: string;
    }
    const file = read<{
      coordinator_public_key: string;
      miner_public_key: string;
      realm: string;
      terms: { payload: Terms; terms_hash: string };
      progress: Signed;
      "miner-session": Signed;
    }>("vectors/jobs.json");
    expect(termsHash(file.terms.payload)).toBe(file.terms.terms_hash);
    expect(sha256Hex(fromHex("key", file.coordinator_public_key))).toBe(file.realm);
    for (const type of ["progress", "miner-session"] as const) {
      const { payload, sign_bytes, signature } = file[type];
      // Put together by hand, as another implementation would.
      const expected =
        toHex(utf8(`aitbc/${type}/v1\0`)) + file.realm + toHex(utf8(canonicalizeSigned(payload)));
      expect(sign_bytes).toBe(expected);
      expect(
        verify(
          fromHex("sig", signature),
          fromHex("bytes", sign_bytes),
          fromHex("key", file.miner_public_key),
        ),
      ).toBe(true);
    }
  });
});
