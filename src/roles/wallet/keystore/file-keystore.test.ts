import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { argon2id } from "../../../../test/harness/argon2.ts";
import {
  GOOD_PASSWORD,
  keystoreIn,
  OTHER_PASSWORD,
  secret,
  temporaryDirectory,
} from "../../../../test/harness/keystore.ts";
import { addressOfKey, addressOfModule } from "../../../crypto/address.ts";
import { fromHex, toHex } from "../../../crypto/bytes.ts";
import { SecretKey } from "../../../crypto/ed25519.ts";
import type { SecretBytes } from "../../../crypto/secret-bytes.ts";

const PHRASE = `${"abandon ".repeat(11)}about`;
const password = (): SecretBytes => secret(GOOD_PASSWORD);
const hasCode = (code: string) => expect.objectContaining({ code });

let temporary: ReturnType<typeof temporaryDirectory>;
let directory: string;
beforeEach(() => {
  temporary = temporaryDirectory();
  directory = join(temporary.path, "wallets");
});
afterEach(() => temporary[Symbol.dispose]());

const open = () => keystoreIn(directory);
const fileOf = (walletId: string): string => join(directory, `${walletId}.json`);

describe("a wallet", () => {
  it("is one file of its owner alone, and opens with Argon2id at full cost", async () => {
    const keystore = keystoreIn(directory, argon2id);
    const wallet = await keystore.create({ walletId: "main", password: password() });
    expect(readdirSync(directory)).toEqual(["main.json"]);
    expect([statSync(directory).mode & 0o777, statSync(fileOf("main")).mode & 0o777]).toEqual([0o700, 0o600]);
    const { header } = JSON.parse(readFileSync(fileOf("main"), "utf8"));
    expect(header.kdf).toMatchObject({ name: "argon2id", memory_kib: 65_536, passes: 3, lanes: 1 });
    using key = await keystore.exportKey("main", password());
    expect(toHex(new SecretKey(key.bytes).publicKey)).toBe(wallet.public_key);
    expect(wallet.address).toBe(addressOfKey(fromHex("key", wallet.public_key)));
    await expect(keystore.exportKey("main", secret(OTHER_PASSWORD))).rejects.toThrow(
      hasCode("INVALID_CREDENTIALS"),
    );
  });

  it("has a phrase of 24 words of its own", async () => {
    const keystore = open();
    const made = await Promise.all(
      ["a", "b"].map((walletId) => keystore.create({ walletId, password: password() })),
    );
    expect(made[0]?.public_key).not.toBe(made[1]?.public_key);
    const phrase = new TextDecoder().decode((await keystore.exportPhrase("a", password())).bytes);
    expect(phrase.split(" ")).toHaveLength(24);
    const again = await keystore.create({
      walletId: "c",
      password: password(),
      secret: { kind: "phrase", phrase: secret(phrase) },
    });
    expect(again.public_key).toBe(made[0]?.public_key);
  });

  it("derives accounts after SLIP-0010 below m/44'/6383988'", async () => {
    const keystore = open();
    const wallet = await keystore.create({
      walletId: "main",
      password: password(),
      secret: { kind: "phrase", phrase: secret(PHRASE) },
    });
    const second = await keystore.addAccount("main", password(), "savings");
    expect([wallet.accounts[0], second]).toMatchObject([
      { kind: "derived", path: "m/44'/6383988'/0'", label: "" },
      { kind: "derived", path: "m/44'/6383988'/1'", label: "savings" },
    ]);
    expect((await keystore.get("main")).accounts).toEqual([wallet.accounts[0], second]);
    // The secret keys as Python's hmac and hashlib compute them.
    for (const [account, expected] of [
      [wallet.accounts[0], "e386c36f9ff0921955e6dfbfdbac4d01973b0685bedd02006b7ea23c1416df5b"],
      [second, "8d26d07d07ff44f11a48de57ff9e34640d068b5261f8e40348b89fab502177cb"],
    ] as const) {
      using key = await keystore.exportKey("main", password(), account?.address);
      expect(toHex(key.bytes)).toBe(expected);
      expect(toHex(new SecretKey(key.bytes).publicKey)).toBe(account?.public_key);
    }
  });

  it("can be made from a raw key, and then has one account and no phrase", async () => {
    const keystore = open();
    const key = new Uint8Array(32).fill(7);
    const made = { walletId: "raw", password: password(), metadata: { owner: "jo" } };
    const wallet = await keystore.create({
      ...made,
      secret: { kind: "key", key: secret("\x07".repeat(32)) },
    });
    expect(wallet).toMatchObject({ secret: "key", metadata: { owner: "jo" } });
    expect(wallet.public_key).toBe(toHex(new SecretKey(key).publicKey));
    expect(wallet.accounts).toMatchObject([{ kind: "imported", path: null }]);
    await expect(keystore.addAccount("raw", password(), "")).rejects.toThrow(hasCode("INVALID_ARGUMENT"));
    await expect(keystore.exportPhrase("raw", password())).rejects.toThrow(hasCode("INVALID_ARGUMENT"));
    expect((await keystore.exportKey("raw", password())).bytes).toEqual(key);
  });

  it("is not made twice, with a weak password, under a name that is none, or from a bad secret", async () => {
    const keystore = open();
    await keystore.create({ walletId: "main", password: password() });
    const make = (walletId: string, text = GOOD_PASSWORD, phrase?: string) =>
      keystore.create({
        walletId,
        password: secret(text),
        ...(phrase !== undefined && { secret: { kind: "phrase", phrase: secret(phrase) } }),
      });
    await expect(make("main")).rejects.toThrow(hasCode("WALLET_EXISTS"));
    await expect(make("other", "weak")).rejects.toThrow(hasCode("PASSWORD_TOO_WEAK"));
    for (const name of ["", ".", "..", "../up", "a/b", ".hidden", "a b", "x".repeat(65), "é"]) {
      await expect(make(name)).rejects.toThrow(hasCode("INVALID_ARGUMENT"));
    }
    await expect(make("other", GOOD_PASSWORD, "not a phrase")).rejects.toThrow(hasCode("INVALID_ARGUMENT"));
    await expect(
      keystore.create({ walletId: "big", password: password(), metadata: { note: "x".repeat(9000) } }),
    ).rejects.toThrow(hasCode("INVALID_ARGUMENT"));
    expect(readdirSync(directory)).toEqual(["main.json"]);
  });

  it("keeps its keys when its password changes; the old one opens nothing any more", async () => {
    const keystore = open();
    const before = await keystore.create({ walletId: "main", password: password() });
    const { header: old } = JSON.parse(readFileSync(fileOf("main"), "utf8"));
    expect(await keystore.changePassword("main", password(), secret(OTHER_PASSWORD))).toEqual(before);
    await expect(keystore.exportPhrase("main", password())).rejects.toThrow(hasCode("INVALID_CREDENTIALS"));
    await keystore.exportPhrase("main", secret(OTHER_PASSWORD));
    await expect(keystore.changePassword("main", secret(OTHER_PASSWORD), secret("weak"))).rejects.toThrow(
      hasCode("PASSWORD_TOO_WEAK"),
    );
    expect(JSON.parse(readFileSync(fileOf("main"), "utf8")).header.kdf.salt).not.toBe(old.kdf.salt);
  });

  it("has a fresh salt and nonce after each write", async () => {
    const keystore = open();
    await keystore.create({ walletId: "main", password: password() });
    const { address } = await keystore.get("main");
    const seen = new Set<string>();
    for (const label of ["a", "b", "b"]) {
      await keystore.setLabel("main", password(), address, label);
      const { header, nonce } = JSON.parse(readFileSync(fileOf("main"), "utf8"));
      seen.add(nonce).add(header.kdf.salt);
    }
    expect(seen.size).toBe(6);
  });

  it("has labels, and addresses that it only watches", async () => {
    const keystore = open();
    const { address } = await keystore.create({ walletId: "main", password: password() });
    const other = addressOfModule("treasury");
    expect(await keystore.setLabel("main", password(), address, "Miete 🏠")).toMatchObject({
      label: "Miete 🏠",
    });
    expect(await keystore.watch("main", password(), other, "treasury")).toEqual({
      address: other,
      public_key: null,
      kind: "watched",
      path: null,
      label: "treasury",
    });
    await expect(keystore.watch("main", password(), other, "")).rejects.toThrow(hasCode("INVALID_ARGUMENT"));
    await expect(keystore.watch("main", password(), "ait1x", "")).rejects.toThrow(
      hasCode("INVALID_ARGUMENT"),
    );
    await expect(keystore.exportKey("main", password(), other)).rejects.toThrow(hasCode("ACCOUNT_NOT_FOUND"));
    for (const label of ["two\nlines", "\u001b[31m", "x".repeat(101)]) {
      await expect(keystore.setLabel("main", password(), other, label)).rejects.toThrow(
        hasCode("INVALID_ARGUMENT"),
      );
    }
    await keystore.setLabel("main", password(), other, "bank");
    expect((await keystore.get("main")).accounts.map(({ label }) => label)).toEqual(["Miete 🏠", "bank"]);
    await keystore.unwatch("main", password(), other);
    await expect(keystore.unwatch("main", password(), other)).rejects.toThrow(hasCode("ACCOUNT_NOT_FOUND"));
    expect((await keystore.get("main")).accounts).toHaveLength(1);
  });

  it("is changed and deleted with its password alone", async () => {
    const keystore = open();
    const { address } = await keystore.create({ walletId: "main", password: password() });
    const wrong = () => secret(OTHER_PASSWORD);
    const refused = hasCode("INVALID_CREDENTIALS");
    await expect(keystore.delete("main", wrong())).rejects.toThrow(refused);
    await expect(keystore.addAccount("main", wrong(), "")).rejects.toThrow(refused);
    await expect(keystore.setLabel("main", wrong(), address, "x")).rejects.toThrow(refused);
    await expect(keystore.changePassword("main", wrong(), password())).rejects.toThrow(refused);
    await expect(keystore.exportFile("main", wrong())).rejects.toThrow(refused);
    await keystore.delete("main", password());
    expect(readdirSync(directory)).toEqual([]);
    await expect(keystore.get("main")).rejects.toThrow(hasCode("WALLET_NOT_FOUND"));
  });
});

describe("a keystore file", () => {
  it("goes out and comes in, under its own id or another, after it was decrypted", async () => {
    const keystore = open();
    const wallet = await keystore.create({ walletId: "main", password: password() });
    await keystore.addAccount("main", password(), "second");
    const file = await keystore.exportFile("main", password());
    await expect(keystore.importFile(file, password())).rejects.toThrow(hasCode("WALLET_EXISTS"));
    await expect(keystore.importFile(file, secret(OTHER_PASSWORD), "copy")).rejects.toThrow(
      hasCode("INVALID_CREDENTIALS"),
    );
    const copy = await keystore.importFile(file, password(), "copy");
    expect(copy).toMatchObject({ wallet_id: "copy", public_key: wallet.public_key });
    expect(copy.accounts).toHaveLength(2);
    await keystore.delete("main", password());
    await keystore.importFile(file, password());
    expect(readFileSync(fileOf("main"))).toEqual(Buffer.from(file));
    expect(await keystore.list()).toMatchObject({
      wallets: [{ wallet_id: "copy" }, { wallet_id: "main" }],
      damaged: [],
    });
  });

  it("of another wallet does not answer for the name that it lies under", async () => {
    const keystore = open();
    await keystore.create({ walletId: "main", password: password() });
    renameSync(fileOf("main"), fileOf("other"));
    const refused = hasCode("KEYSTORE_DAMAGED");
    await expect(keystore.get("other")).rejects.toThrow(refused);
    await expect(keystore.exportPhrase("other", password())).rejects.toThrow(refused);
  });

  it("that is damaged is listed as such, and hides no other", async () => {
    const keystore = open();
    expect(await keystore.list()).toEqual({ wallets: [], damaged: [] });
    await keystore.create({ walletId: "main", password: password() });
    writeFileSync(fileOf("broken"), "{}");
    writeFileSync(fileOf("huge"), Buffer.alloc(2 * 1024 * 1024, 0x20));
    writeFileSync(join(directory, ".main.0011.tmp"), "cut off");
    mkdirSync(fileOf("folder"));
    const { wallets, damaged } = await keystore.list();
    expect(wallets.map(({ wallet_id }) => wallet_id)).toEqual(["main"]);
    expect(damaged).toEqual(["broken", "folder", "huge"]);
  });
});
