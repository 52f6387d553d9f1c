/** The wallet's commands that need no daemon, in this process, over real keystore files. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Io } from "../../src/cli/io.ts";
import { runCli } from "../../src/cli/run.ts";
import { addressOfKey, addressOfMultisig } from "../../src/crypto/address.ts";
import { fromHex, toHex, utf8 } from "../../src/crypto/bytes.ts";
import { canonicalizeSigned } from "../../src/crypto/canonical-json.ts";
import { SecretKey, verify } from "../../src/crypto/ed25519.ts";
import { signBytes } from "../../src/crypto/sign-bytes.ts";
import { attachSignature } from "../../src/domain/ledger/signing.ts";
import { createPolicy } from "../../src/domain/multisig/policy.ts";
import { EXIT } from "../../src/kernel/errors.ts";
import { GOOD_PASSWORD, OTHER_PASSWORD, secret, temporaryDirectory } from "../harness/keystore.ts";

// The commands hash passwords several times a test; that they do so at full cost is what the process tests see.
vi.mock("../../src/app/addon.ts", async () => {
  const { cheapBinding } = await import("../harness/cheap-kdf.ts");
  return { loadArgon2Binding: () => cheapBinding };
});

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let temporary: ReturnType<typeof temporaryDirectory>;
let home: string;
beforeEach(() => {
  temporary = temporaryDirectory();
  home = temporary.path;
  writeFileSync(join(home, "pw"), `${GOOD_PASSWORD}\n`);
});
afterEach(() => temporary[Symbol.dispose]());

/** Runs a command. `typed` are the lines that a person answers prompts with; without them nobody can be asked. */
async function run(args: readonly string[], typed?: readonly string[]): Promise<Ran & { asked: string[] }> {
  const written = { stdout: "", stderr: "" };
  const asked: string[] = [];
  const lines = [...(typed ?? [])];
  const output = (name: "stdout" | "stderr") => ({
    write(text: string) {
      written[name] += text;
      return true;
    },
    once() {},
  });
  const io: Io = {
    env: { HOME: home },
    cwd: home,
    stdin: (async function* () {})(),
    stdout: output("stdout"),
    stderr: output("stderr"),
    uptimeMs: () => 1,
    onSignal: () => () => {},
    exit(code) {
      throw new Error(`exit ${code}`);
    },
    ...(typed && {
      readSecret: async (prompt: string) => {
        asked.push(prompt);
        return secret(lines.shift() ?? "");
      },
    }),
  };
  return { code: await runCli(["wallet", ...args], io), ...written, asked };
}

const PASSWORD = ["--password-file", "pw"];

/** What a command that must succeed prints for scripts. */
async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await run([...args, "--output", "json"]);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return JSON.parse(stdout) as T;
}

/** What a command that must succeed prints for people. */
async function text(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return stdout;
}

const create = (id: string) =>
  json<{ wallet_id: string; public_key: string; address: string }>("create", id, ...PASSWORD);
const keystores = (): string[] => readdirSync(join(home, ".local/share/aitbc/wallets"));

describe("wallet create, list, info and address", () => {
  it("say the same of a wallet, in exactly these members", async () => {
    const made = await create("main");
    expect(Object.keys(made)).toEqual(["wallet_id", "public_key", "address"]);
    expect(made.address).toBe(addressOfKey(fromHex("key", made.public_key)));
    expect(await json("list")).toEqual([made]);
    expect(await json("info", "main")).toMatchObject({ ...made, secret: "phrase" });
    expect(await text("address", "main")).toBe(`${made.address}\n`);
    expect((await run(["info", "nobody"])).code).toBe(EXIT.notFound);
    expect((await run(["create", "main", ...PASSWORD])).code).toBe(EXIT.conflict);
  });

  it("name a damaged file beside the others", async () => {
    await create("main");
    writeFileSync(join(home, ".local/share/aitbc/wallets/broken.json"), "{}");
    const { code, stdout, stderr } = await run(["list"]);
    expect([code, stdout]).toEqual([0, expect.stringContaining("main")]);
    expect(stderr).toContain("broken cannot be read");
    expect((await run(["info", "broken"])).code).toBe(EXIT.storage);
  });
});

describe("a password", () => {
  it("is asked for, twice where it is new; what is typed differently twice makes no wallet", async () => {
    const made = await run(["create", "main"], [GOOD_PASSWORD, GOOD_PASSWORD]);
    expect([made.code, made.asked]).toEqual([0, ["New password: ", "Again: "]]);
    expect((await run(["create", "other"], [GOOD_PASSWORD, OTHER_PASSWORD])).code).toBe(EXIT.usage);
    expect(keystores()).toEqual(["main.json"]);
    const signed = await run(["sign", "main", "--message", "x"], [GOOD_PASSWORD]);
    expect([signed.code, signed.asked]).toEqual([0, ["Password: "]]);
  });

  it("is never an argument, and where nobody can be asked it is an error", async () => {
    expect((await run(["create", "main", "--password", GOOD_PASSWORD])).code).toBe(EXIT.usage);
    const { code, stderr } = await run(["create", "main"]);
    expect([code, stderr]).toEqual([EXIT.usage, expect.stringContaining("--password-file")]);
  });

  it("that is weak is refused, and one that is wrong opens nothing", async () => {
    writeFileSync(join(home, "weak"), "password\n");
    const weak = await run(["create", "main", "--password-file", "weak"]);
    expect([weak.code, weak.stderr]).toEqual([EXIT.usage, expect.stringContaining("PASSWORD_TOO_WEAK")]);
    await create("main");
    const wrong = await run(["sign", "main", "--message", "x", "--password-file", "weak"]);
    expect([wrong.code, wrong.stdout]).toEqual([EXIT.denied, ""]);
  });

  it("changes, and a backup keeps the one of its day", async () => {
    await create("main");
    await text("backup", "main", "old.json", ...PASSWORD);
    writeFileSync(join(home, "next"), OTHER_PASSWORD);
    await text("change-password", "main", ...PASSWORD, "--new-password-file", "next");
    expect((await run(["sign", "main", "--message", "x", ...PASSWORD])).code).toBe(EXIT.denied);
    await text("sign", "main", "--message", "x", "--password-file", "next");
    await text("restore", "old.json", "--as", "old", ...PASSWORD);
  });
});

describe("wallet sign and verify", () => {
  it("agree on a message, a file and a document, and with plain Ed25519", async () => {
    const { public_key: key } = await create("main");
    writeFileSync(join(home, "letter.txt"), "Dear all,\n");
    writeFileSync(join(home, "terms.json"), '{ "rent": 12,\n "paid": true }');
    const realm = "ab".repeat(32);
    const document = canonicalizeSigned({ rent: 12, paid: true });
    const cases: readonly (readonly [string[], Uint8Array])[] = [
      [["--message", "héllo"], utf8("héllo")],
      [["--file", "letter.txt"], utf8("Dear all,\n")],
      [["--document", "terms.json", "--realm", realm], signBytes("document", fromHex("r", realm), document)],
    ];
    for (const [subject, bytes] of cases) {
      const signed = await json<{ public_key: string; signature: string }>(
        "sign",
        "main",
        ...subject,
        ...PASSWORD,
      );
      expect(Object.keys(signed)).toEqual(["public_key", "signature"]);
      expect(signed.public_key).toBe(key);
      const signature = fromHex("signature", signed.signature);
      expect(verify(signature, bytes, fromHex("key", key))).toBe(true);
      const given = ["--public-key", key, "--signature", signed.signature];
      expect((await run(["verify", ...subject, ...given])).code).toBe(0);
      const base64 = Buffer.from(signature).toString("base64");
      const inBase64 = ["--public-key", Buffer.from(key, "hex").toString("base64url"), "--signature", base64];
      expect((await run(["verify", ...subject, ...inBase64])).code).toBe(0);
      expect((await run(["verify", "--message", "other", ...given])).code).toBe(EXIT.receiptInvalid);
    }
  });

  it("of an account take its own key, and verify says whose key it is", async () => {
    const { address } = await create("main");
    const accounts = await json<{ address: string }[]>(
      "accounts",
      "main",
      "--add",
      "--label",
      "b",
      ...PASSWORD,
    );
    const second = accounts[1]?.address ?? "";
    const signed = await json("sign", "main", "--message", "x", "--account", second, ...PASSWORD);
    const given = [
      "--message",
      "x",
      "--public-key",
      String(signed["public_key"]),
      "--signature",
      String(signed["signature"]),
    ];
    expect((await run(["verify", ...given, "--address", second])).code).toBe(0);
    expect((await run(["verify", ...given, "--address", address])).code).toBe(EXIT.receiptInvalid);
  });

  it("show a text before the password is asked for, and refuse bytes without --raw", async () => {
    await create("main");
    const shown = await run(["sign", "main", "--message", "pay nobody"], []);
    expect([shown.code, shown.stderr]).toEqual([EXIT.denied, expect.stringContaining("\npay nobody\n")]);
    writeFileSync(join(home, "bytes"), Uint8Array.of(0, 255, 27));
    const refused = await run(["sign", "main", "--file", "bytes", ...PASSWORD]);
    expect([refused.code, refused.stdout]).toEqual([EXIT.usage, ""]);
    expect(refused.stderr).toContain("--raw");
    await text("sign", "main", "--file", "bytes", "--raw", ...PASSWORD);
  });

  it("refuse what the network signs otherwise, with --raw too", async () => {
    await create("main");
    for (const message of ["aitbc/tx/v1", '{"receipt_id":"r"}', '{"units":1,"job_id":"j"}']) {
      const { code, stderr } = await run(["sign", "main", "--message", message, "--raw", ...PASSWORD]);
      expect([code, stderr]).toEqual([EXIT.usage, expect.stringContaining("SIGNING_REFUSED")]);
    }
  });

  it("need exactly one thing to sign", async () => {
    await create("main");
    for (const args of [
      [],
      ["--message", "x", "--file", "pw"],
      ["--document", "pw"],
      ["--message", "x", "--realm", "00"],
    ]) {
      expect((await run(["sign", "main", ...args, ...PASSWORD])).code).toBe(EXIT.usage);
    }
    const malformed = ["--message", "x", "--public-key", "zz", "--signature", "00"];
    expect((await run(["verify", ...malformed])).code).toBe(EXIT.usage);
  });
});

describe("wallet backup, restore, export, import and delete", () => {
  it("give the same keys back", async () => {
    const { public_key } = await create("main");
    await text("backup", "main", "copy.json", ...PASSWORD);
    expect(statSync(join(home, "copy.json")).mode & 0o777).toBe(0o600);
    const phrase = await json("export", "main", "--phrase", ...PASSWORD);
    writeFileSync(join(home, "phrase"), String(phrase["phrase"]));
    const key = await json("export", "main", "--key", ...PASSWORD);
    expect(toHex(new SecretKey(fromHex("key", String(key["secret_key"]))).publicKey)).toBe(public_key);
    await text("export", "main", "--key", "--file", "key", ...PASSWORD);
    await text("export", "main", "--keystore", "--file", "moved.json", ...PASSWORD);
    await text("delete", "main", ...PASSWORD);
    expect(keystores()).toEqual([]);
    expect(await json("restore", "copy.json", ...PASSWORD)).toMatchObject({ wallet_id: "main", public_key });
    expect((await run(["restore", "copy.json", ...PASSWORD])).code).toBe(EXIT.conflict);
    for (const [id, ...source] of [
      ["a", "--phrase-file", "phrase"],
      ["b", "--key-file", "key"],
      ["c", "--keystore", "moved.json"],
    ] as const)
      expect(await json("import", id, ...source, ...PASSWORD)).toMatchObject({ wallet_id: id, public_key });
    const typed = await run(["import", "d"], [String(phrase["phrase"]), GOOD_PASSWORD, GOOD_PASSWORD]);
    expect([typed.code, typed.asked[0]]).toEqual([0, "Recovery phrase: "]);
    expect(await json("info", "d")).toMatchObject({ public_key });
  });

  it("replace no file, and take no damaged one in", async () => {
    await create("main");
    writeFileSync(join(home, "taken"), "mine");
    expect((await run(["backup", "main", "taken", ...PASSWORD])).code).toBe(EXIT.storage);
    expect(readFileSync(join(home, "taken"), "utf8")).toBe("mine");
    await text("backup", "main", "copy.json", ...PASSWORD);
    const copy = readFileSync(join(home, "copy.json"));
    copy[200] = (copy[200] ?? 0) ^ 1;
    writeFileSync(join(home, "bad.json"), copy);
    const bad = await run(["restore", "bad.json", "--as", "x", ...PASSWORD]);
    expect([bad.code, bad.stderr]).toEqual([EXIT.storage, expect.stringContaining("KEYSTORE_DAMAGED")]);
    expect(keystores()).toEqual(["main.json"]);
  });

  it("never quote a wrong phrase or key", async () => {
    writeFileSync(join(home, "bad"), `${"abandon ".repeat(11)}zoo`);
    for (const option of ["--phrase-file", "--key-file"]) {
      const { code, stderr } = await run(["import", "x", option, "bad", ...PASSWORD]);
      expect(code).toBe(EXIT.usage);
      expect(stderr).not.toMatch(/abandon|zoo/);
    }
  });
});

describe("wallet accounts", () => {
  it("adds, watches, labels and forgets", async () => {
    await create("main");
    await text("accounts", "main", "--add", "--label", "savings", ...PASSWORD);
    const bank = addressOfKey(new Uint8Array(32).fill(5));
    await text("accounts", "main", "--watch", bank, "--label", "bank", ...PASSWORD);
    await text("accounts", "main", "--rename", bank, "--label", "my bank", ...PASSWORD);
    const listed = await text("accounts", "main");
    expect(listed).toMatch(/derived +m\/44'\/6383988'\/1' +savings/);
    expect(listed).toMatch(/watched +- +my bank/);
    await text("accounts", "main", "--unwatch", bank, ...PASSWORD);
    expect(await json("accounts", "main")).toHaveLength(2);
  });
});

describe("wallet request-payment", () => {
  it("prints a URI, and a code that a phone reads", async () => {
    const { address } = await create("main");
    const uri = `aitbc:${address}?amount=12.5&memo=May%20rent`;
    const args = ["request-payment", "main", "--amount", "12.5", "--memo", "May rent"];
    expect(await json(...args)).toEqual({ uri, address, amount_uait: "12500000", memo: "May rent" });
    const shown = await text(...args);
    expect(shown).toContain(uri);
    expect(shown).toMatch(/█▀▀|▄▄▄▄▄/);
    expect(await text(...args, "--no-qr")).not.toMatch(/[█▀▄]/);
    expect(await json("request-payment", address)).toMatchObject({ uri: `aitbc:${address}` });
    expect((await run(["request-payment", "main", "--amount", "1.0000001"])).code).toBe(EXIT.usage);
  });
});

describe("wallet multisig", () => {
  const realm = "cd".repeat(32);

  it("two of three sign a document on their own, and anybody can check it", async () => {
    const made = await Promise.all(["a", "b", "c"].map(create));
    const keys = made.map(({ public_key }) => public_key);
    const policy = ["--threshold", "2", ...keys.flatMap((key) => ["--signer", key])];
    const account = await json("multisig-create", ...policy);
    const signers = keys.map((key) => fromHex("key", key));
    expect(account["address"]).toBe(addressOfMultisig({ threshold: 2, signers }));
    writeFileSync(join(home, "doc.json"), '{"purpose":"rent"}');
    await text("multisig-propose", "--document", "doc.json", "--realm", realm, ...policy, "--file", "p");
    const shown = await run(["multisig-sign", "a", "p", ...PASSWORD, "--file", "p1"]);
    expect(shown.stderr).toContain('"purpose":"rent"');
    const few = await run(["multisig-combine", "p", "p1"]);
    expect([few.code, few.stderr]).toEqual([EXIT.receiptInvalid, expect.stringContaining("1 is missing")]);
    await text("multisig-sign", "c", "p", ...PASSWORD, "--file", "p2");
    await text("multisig-combine", "p2", "p1", "--file", "done");
    expect(await json("multisig-verify", "done", "--realm", realm)).toMatchObject({
      valid: true,
      address: account["address"],
    });
    expect((await run(["multisig-verify", "done", "--realm", "00".repeat(32)])).code).toBe(
      EXIT.receiptInvalid,
    );
  });

  it("says in plain words what a transaction does, before it is signed", async () => {
    const [a, b] = await Promise.all(["a", "b"].map(create));
    const keys = [a, b].map((wallet) => fromHex("key", wallet?.public_key ?? ""));
    const { policy } = createPolicy(2, keys);
    const to = a?.address ?? "";
    const transaction = {
      v: 1,
      chain_id: "aitbc-test",
      type: "TRANSFER",
      nonce: 1,
      fee: "321",
      multisig: policy,
      payload: { to, amount: "12500000" },
    };
    writeFileSync(join(home, "tx.json"), JSON.stringify(transaction));
    await text("multisig-propose", "--transaction", "tx.json", "--realm", realm, "--file", "p");
    const { code, stderr } = await run(["multisig-sign", "a", "p", ...PASSWORD, "--file", "p1"]);
    expect(code).toBe(0);
    expect(stderr).toContain(`Send 12.5 AIT to ${to}. Nobody can take it back.`);
    expect(stderr).toContain("It needs the signatures of 2 of 2 keys.");
    expect(stderr).toContain("The most it can cost is 12.500321 AIT.");
  });

  it("refuses a signer that the account does not have, and a transaction that is signed", async () => {
    const [a, b] = await Promise.all(["a", "b"].map(create));
    const policy = ["--threshold", "1", "--signer", a?.public_key ?? ""];
    writeFileSync(join(home, "doc.json"), "{}");
    await text("multisig-propose", "--document", "doc.json", "--realm", realm, ...policy, "--file", "p");
    expect((await run(["multisig-sign", "b", "p", ...PASSWORD])).code).toBe(EXIT.notFound);
    const key = Buffer.from(b?.public_key ?? "", "hex").toString("base64url");
    const transaction = {
      v: 1,
      chain_id: "c",
      type: "TRANSFER",
      nonce: 1,
      fee: "1",
      public_key: key,
      payload: {},
    } as const;
    writeFileSync(join(home, "tx.json"), attachSignature(transaction, new Uint8Array(64)));
    expect((await run(["multisig-propose", "--transaction", "tx.json", "--realm", realm])).code).toBe(
      EXIT.usage,
    );
  });
});
