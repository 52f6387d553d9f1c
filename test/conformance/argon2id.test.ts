import { expect, it } from "vitest";
import { createArgon2id } from "../../src/crypto/argon2id.ts";
import { fromHex, toHex } from "../../src/crypto/bytes.ts";
import { argon2Binding } from "../harness/argon2.ts";
import { describeVectors, readVector } from "./vectors.ts";

/** The bytes that stand after a name: `Salt[16]: 02 02 …`. */
function bytesOf(file: string, name: string): Buffer {
  const hex = new RegExp(`^${name}(?:\\[\\d+\\])?: ([0-9a-f ]+)$`, "m").exec(file)?.[1];
  return Buffer.from(fromHex(name, (hex ?? "no such line").replaceAll(" ", "")));
}

describeVectors("argon2", "RFC 9106 §5.3, Argon2id", () => {
  it("gives the published tag", async () => {
    const file = readVector("argon2", "argon2id_rfc9106_kat_head.txt");
    const costs = /Memory: (\d+) KiB, Iterations: (\d+), Parallelism: (\d+) lanes/.exec(file);
    const [memoryKib, passes, lanes] = (costs ?? []).slice(1).map(Number) as [number, number, number];
    // The vector has a secret and associated data, which the program does not use.
    const secret = bytesOf(file, "Secret");
    const data = bytesOf(file, "Associated data");
    const argon2id = createArgon2id({ hash: (input) => argon2Binding.hash({ ...input, secret, data }) });
    const tag = await argon2id(bytesOf(file, "Password"), bytesOf(file, "Salt"), {
      memoryKib,
      passes,
      lanes,
    });
    expect(toHex(tag)).toBe(toHex(bytesOf(file, "Tag")));
  });
});
