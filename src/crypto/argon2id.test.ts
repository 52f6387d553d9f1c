import { describe, expect, it } from "vitest";
import { argon2id as real } from "../../test/harness/argon2.ts";
import { ARGON2_KEY_BYTES, createArgon2id } from "./argon2id.ts";

const COSTS = { memoryKib: 64, passes: 1, lanes: 1 };
const password = new TextEncoder().encode("password");
const salt = new Uint8Array(16);

describe("Argon2id", () => {
  it("depends on password, salt and each cost, and leaves what it was lent as it is", async () => {
    const keys = await Promise.all([
      real(password, salt, COSTS),
      real(new TextEncoder().encode("passworD"), salt, COSTS),
      real(password, salt.with(0, 1), COSTS),
      real(password, salt, { ...COSTS, memoryKib: 65 }),
      real(password, salt, { ...COSTS, passes: 2 }),
      real(password, salt, { ...COSTS, memoryKib: 128, lanes: 2 }),
    ]);
    expect(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size).toBe(keys.length);
    for (const key of keys) expect(key).toHaveLength(ARGON2_KEY_BYTES);
    expect(new TextDecoder().decode(password)).toBe("password");
  });

  it("refuses a salt of another length", async () => {
    await expect(real(password, new Uint8Array(15), COSTS)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("hashes two at once, and the third when one of them has ended, failed or not", async () => {
    const started: ((result: Buffer | Error) => void)[] = [];
    const argon2id = createArgon2id({
      hash: () =>
        new Promise((resolve, reject) => {
          started.push((result) => (result instanceof Error ? reject(result) : resolve(result)));
        }),
    });
    const [first, second, third] = [1, 2, 3].map(() => argon2id(password, salt, COSTS));
    await Promise.resolve();
    expect(started).toHaveLength(2);
    started[1]?.(new Error("no memory"));
    await expect(second).rejects.toMatchObject({ code: "INTERNAL" });
    expect(started).toHaveLength(3);
    started[0]?.(Buffer.alloc(32));
    started[2]?.(Buffer.alloc(32));
    await expect(Promise.all([first, third])).resolves.toHaveLength(2);
  });
});
