/** `protocols/vectors/wallet.json`, put together by hand, as another implementation would. */
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bech32 } from "@scure/base";
import { describe, expect, it } from "vitest";
import { SecretKey, verify } from "../../src/crypto/ed25519.ts";
import { verifyCombined } from "../../src/domain/multisig/proposal.ts";

interface Signed {
  readonly document: Record<string, unknown>;
  readonly realm: string;
  readonly sign_bytes: string;
  readonly public_key: string;
  readonly signature: string;
}

const PATH = join(import.meta.dirname, "../../protocols/vectors/wallet.json");
const file = JSON.parse(readFileSync(PATH, "utf8")) as {
  phrase: string;
  accounts: { path: string; secret_key: string; public_key: string; address: string }[];
  documents: Signed[];
  multisig: {
    addresses: { threshold: number; public_keys: string[]; address: string }[];
    proposals: { address: string; proposal: string; combined: string }[];
  };
};

const hex = (text: string): Buffer => Buffer.from(text, "hex");
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
const bech32Of = (type: number, hash: Uint8Array): string =>
  bech32.encode("ait", bech32.toWords(Uint8Array.of(type, ...hash)));

/** SLIP-0010 for one hardened path. */
function derive(seed: Buffer, path: string): Buffer {
  let node = createHmac("sha512", "ed25519 seed").update(seed).digest();
  for (const step of path.split("/").slice(1)) {
    const index = Buffer.alloc(4);
    index.writeUInt32BE(2 ** 31 + Number.parseInt(step, 10));
    const data = Buffer.concat([Buffer.of(0), node.subarray(0, 32), index]);
    node = createHmac("sha512", node.subarray(32)).update(data).digest();
  }
  return node.subarray(0, 32);
}

describe("vectors of wallets", () => {
  it("accounts of a phrase", () => {
    const seed = pbkdf2Sync(file.phrase, "mnemonic", 2048, 64, "sha512");
    expect(file.accounts).toHaveLength(3);
    for (const [index, { path, secret_key, public_key, address }] of file.accounts.entries()) {
      expect(path).toBe(`m/44'/6383988'/${index}'`);
      expect(derive(seed, path).toString("hex")).toBe(secret_key);
      expect(Buffer.from(new SecretKey(hex(secret_key)).publicKey).toString("hex")).toBe(public_key);
      expect(bech32Of(0, sha256(hex(public_key)).subarray(0, 20))).toBe(address);
    }
  });

  it("documents", () => {
    for (const { document, realm, sign_bytes, public_key, signature } of file.documents) {
      // The members of these are in order already.
      const names = Object.keys(document).sort();
      const canonical = JSON.stringify(Object.fromEntries(names.map((name) => [name, document[name]])));
      const bytes = Buffer.concat([Buffer.from("aitbc/document/v1\0"), hex(realm), Buffer.from(canonical)]);
      expect(bytes.toString("hex")).toBe(sign_bytes);
      expect(verify(hex(signature), bytes, hex(public_key))).toBe(true);
    }
  });

  it("addresses of several keys", () => {
    for (const { threshold, public_keys, address } of file.multisig.addresses) {
      const keys = public_keys.map(hex).sort(Buffer.compare);
      const bytes = Buffer.concat([
        Buffer.from("aitbc/multisig/v1\0"),
        Buffer.of(threshold, keys.length),
        ...keys,
      ]);
      expect(bech32Of(1, sha256(bytes))).toBe(address);
    }
  });

  it("proposals and what they become", () => {
    const thresholds = file.multisig.proposals.map(({ address, proposal, combined }) => {
      const { realm, content, signatures } = JSON.parse(proposal);
      const { threshold, public_keys } = content.multisig;
      const message = Buffer.concat([
        Buffer.from("aitbc/document/v1\0"),
        hex(realm),
        Buffer.from(JSON.stringify(content)),
      ]);
      for (const { signer, signature } of signatures) {
        const key = Buffer.from(public_keys[signer], "base64url");
        expect(verify(Buffer.from(signature, "base64url"), message, key)).toBe(true);
      }
      expect(JSON.parse(combined)).toEqual({ ...content, signatures });
      expect(verifyCombined("document", hex(realm), combined).address).toBe(address);
      return threshold;
    });
    expect(thresholds).toEqual([1, 2]);
  });
});
