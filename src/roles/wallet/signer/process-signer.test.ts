import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { argon2id } from "../../../../test/harness/argon2.ts";
import {
  GOOD_PASSWORD,
  keystoreIn,
  OTHER_PASSWORD,
  secret,
  temporaryDirectory,
} from "../../../../test/harness/keystore.ts";
import { childrenOf, gone, isRunning } from "../../../../test/harness/process-table.ts";
import { cheapSignerIn, signerIn } from "../../../../test/harness/signer.ts";
import { addressOfModule } from "../../../crypto/address.ts";
import { fromHex, utf8 } from "../../../crypto/bytes.ts";
import { verify } from "../../../crypto/ed25519.ts";
import { signBytes } from "../../../crypto/sign-bytes.ts";
import { createSigner } from "./create-signer.ts";

const temporary = temporaryDirectory();
const { keystore, signer } = cheapSignerIn(temporary.path);
const password = () => secret(GOOD_PASSWORD);
const hasCode = (code: string) => expect.objectContaining({ code });
const message = utf8("hello");

beforeAll(async () => {
  await keystoreIn(temporary.path).create({ walletId: "main", password: password() });
});
afterEach(() => signer[Symbol.asyncDispose]());
afterAll(() => temporary[Symbol.dispose]());

/** A wallet and the signer that opens it, as a daemon has them: the same program, and a hash that takes its time. */
async function productSigner() {
  const own = temporaryDirectory();
  await keystoreIn(own.path, argon2id).create({ walletId: "main", password: password() });
  const { signer: real } = signerIn(own.path);
  return {
    signer: real,
    async [Symbol.asyncDispose]() {
      await real[Symbol.asyncDispose]();
      own[Symbol.dispose]();
    },
  };
}

/** Time for the processes of a test, on a machine that is busy. */
const PATIENCE = { timeout: 60_000 };

describe("an unlocked wallet", PATIENCE, () => {
  it("signs messages and documents in a process of its own, with the key of the account that is named", async () => {
    const account = await keystore.addAccount("main", password(), "second");
    const wallet = await signer.unlock("main", password());
    const [first, second] = wallet.wallet.accounts;
    expect(second).toEqual(account);
    expect(wallet.pid).not.toBe(process.pid);
    const key = (hex: string | null | undefined): Uint8Array => fromHex("key", hex ?? "");
    expect(verify(await wallet.signMessage(message), message, key(first?.public_key))).toBe(true);
    const bySecond = await wallet.signMessage(message, account.address);
    expect(verify(bySecond, message, key(second?.public_key))).toBe(true);
    const document = { type: "document", realm: new Uint8Array(32).fill(1), payload: '{"a":1}' } as const;
    const signature = await wallet.signDocument(document);
    const signed = signBytes(document.type, document.realm, document.payload);
    expect(verify(signature, signed, key(first?.public_key))).toBe(true);
  });

  it("opens what the hash of the product has sealed", async () => {
    await using product = await productSigner();
    await expect(product.signer.unlock("main", secret(OTHER_PASSWORD))).rejects.toThrow(
      hasCode("INVALID_CREDENTIALS"),
    );
    const wallet = await product.signer.unlock("main", password());
    const key = fromHex("key", wallet.wallet.public_key);
    expect(verify(await wallet.signMessage(message), message, key)).toBe(true);
  });

  it("refuses what it must not sign, and goes on", async () => {
    const wallet = await signer.unlock("main", password());
    await expect(wallet.signMessage(utf8("aitbc/transaction/v1\0"))).rejects.toThrow(
      hasCode("SIGNING_REFUSED"),
    );
    await expect(wallet.signMessage(message, addressOfModule("x"))).rejects.toThrow(
      hasCode("ACCOUNT_NOT_FOUND"),
    );
    const spelled = { type: "document", realm: new Uint8Array(32), payload: '{ "a": 1 }' } as const;
    await expect(wallet.signDocument(spelled)).rejects.toThrow(hasCode("INVALID_PAYLOAD"));
    await expect(wallet.signMessage(message)).resolves.toHaveLength(64);
  });

  it("answers many calls at once, each with its own signature", async () => {
    const wallet = await signer.unlock("main", password());
    const messages = Array.from({ length: 200 }, (_, index) => utf8(`message ${index}`));
    const signatures = await Promise.all(messages.map((one) => wallet.signMessage(one)));
    const key = fromHex("key", wallet.wallet.public_key);
    const holds = signatures.map((signature, index) => verify(signature, messages[index] ?? message, key));
    expect(holds).toEqual(messages.map(() => true));
  });

  it("is locked when its process is gone; calls under way fail, and later ones too", async () => {
    const wallet = await signer.unlock("main", password());
    const under = wallet.signMessage(message).catch((error) => error.code);
    await wallet.lock();
    expect(isRunning(wallet.pid)).toBe(false);
    await wallet.ended;
    expect(["WALLET_LOCKED", expect.any(Uint8Array)]).toContainEqual(await under);
    await expect(wallet.signMessage(message)).rejects.toThrow(hasCode("WALLET_LOCKED"));
    await wallet.lock();
  });

  it.skipIf(process.platform !== "linux")("is left out of core dumps", async () => {
    const wallet = await signer.unlock("main", password());
    expect(Number.parseInt(readFileSync(`/proc/${wallet.pid}/coredump_filter`, "utf8"), 16)).toBe(0);
  });

  it("says so when its process dies by itself", async () => {
    const wallet = await signer.unlock("main", password());
    process.kill(wallet.pid, "SIGKILL");
    await wallet.ended;
    await expect(wallet.signMessage(message)).rejects.toThrow(hasCode("SIGNER_FAILED"));
  });

  it("leaves the signals of a service manager to its parent, and opens no inspector", async () => {
    await using product = await productSigner();
    const wallet = await product.signer.unlock("main", password());
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const)
      process.kill(wallet.pid, signal);
    await expect(wallet.signMessage(message)).resolves.toHaveLength(64);
    const socket = connect(9229, "127.0.0.1");
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  });

  // Shorter than the others' time: what does not end would be waited for to the last.
  it("ends with its parent, however that ends", { timeout: 10_000 }, async () => {
    const program = `
      const { cheapSignerIn } = await import("./test/harness/signer.ts");
      const { secret } = await import("./test/harness/keystore.ts");
      const wallet = await cheapSignerIn(${JSON.stringify(temporary.path)}).signer.unlock("main", secret(${JSON.stringify(GOOD_PASSWORD)}));
      process.stdout.write(String(wallet.pid));
      setInterval(() => {}, 60_000);`;
    const parent = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [written] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(written.toString());
    onTestFinished(() => void (isRunning(pid) && process.kill(pid, "SIGKILL")));
    expect(isRunning(pid)).toBe(true);
    parent.kill("SIGKILL");
    await gone(pid);
  });
});

describe("unlocking", PATIENCE, () => {
  it("fails with the error of the keystore, and leaves no process", async () => {
    await expect(signer.unlock("main", secret(OTHER_PASSWORD))).rejects.toThrow(
      hasCode("INVALID_CREDENTIALS"),
    );
    await expect(signer.unlock("nobody", password())).rejects.toThrow(hasCode("WALLET_NOT_FOUND"));
    await expect(signer.unlock("../main", password())).rejects.toThrow(hasCode("INVALID_ARGUMENT"));
  });

  it("fails when the process cannot be started, or is not one that holds keys", async () => {
    for (const command of [
      ["/does/not/exist"],
      [process.execPath, "--eval", "console.log('hello')"],
      ["/bin/false"],
    ]) {
      const broken = createSigner({ directory: temporary.path, command });
      await expect(broken.signer.unlock("main", password())).rejects.toThrow(hasCode("SIGNER_FAILED"));
    }
  });

  it("goes on two at a time", async () => {
    const unlocks = Array.from({ length: 5 }, () => signer.unlock("main", secret(OTHER_PASSWORD)));
    let most = 0;
    let done = false;
    const watch = (): void => {
      most = Math.max(most, childrenOf("self").length);
      if (!done) setImmediate(watch);
    };
    watch();
    const codes = (await Promise.allSettled(unlocks)).map(
      (result) => "reason" in result && result.reason.code,
    );
    done = true;
    expect(codes).toEqual(unlocks.map(() => "INVALID_CREDENTIALS"));
    expect(most).toBe(2);
  });

  it("turns away who comes when many wait", async () => {
    const broken = createSigner({ directory: temporary.path, command: ["/bin/false"] });
    const many = Array.from({ length: 70 }, () => broken.signer.unlock("main", password()));
    const codes = (await Promise.allSettled(many)).map((result) => "reason" in result && result.reason.code);
    // Two at a time, and 64 that wait.
    expect(codes.slice(0, 66)).toEqual(Array<string>(66).fill("SIGNER_FAILED"));
    expect(codes.slice(66)).toEqual(Array<string>(4).fill("LIMIT_EXCEEDED"));
  });

  it("leaves the password to whoever lent it", async () => {
    using lent = password();
    await signer.unlock("main", lent);
    expect(new TextDecoder().decode(lent.bytes)).toBe(GOOD_PASSWORD);
  });
});

describe("a keystore over processes", PATIENCE, () => {
  it("does all that the keystore does", async () => {
    const made = await keystore.create({
      walletId: "made",
      password: password(),
      metadata: { a: "é" },
      secret: { kind: "key", key: secret("k".repeat(32)) },
    });
    expect(made).toEqual(await keystore.get("made"));
    expect(made.metadata).toEqual({ a: "é" });
    expect((await keystore.exportKey("made", password())).bytes).toEqual(utf8("k".repeat(32)));
    const address = addressOfModule("x");
    await keystore.watch("made", password(), address, "seen");
    await keystore.setLabel("made", password(), address, "named");
    expect((await keystore.get("made")).accounts[1]).toMatchObject({ address, label: "named" });
    await keystore.unwatch("made", password(), address);
    await keystore.changePassword("made", password(), secret(OTHER_PASSWORD));
    const file = await keystore.exportFile("made", secret(OTHER_PASSWORD));
    await keystore.delete("made", secret(OTHER_PASSWORD));
    const copy = await keystore.importFile(file, secret(OTHER_PASSWORD), "copy");
    expect(copy).toMatchObject({ wallet_id: "copy", address: made.address });
    expect((await keystore.list()).wallets.map(({ wallet_id }) => wallet_id)).toEqual(["copy", "main"]);
    const phrase = new TextDecoder().decode((await keystore.exportPhrase("main", password())).bytes);
    const again = { walletId: "again", password: password() };
    const { public_key } = await keystore.create({
      ...again,
      secret: { kind: "phrase", phrase: secret(phrase) },
    });
    expect(public_key).toBe((await keystore.get("main")).public_key);
  });

  it("fails as the keystore fails, with what is told about it", async () => {
    await expect(keystore.create({ walletId: "weak", password: secret("weak") })).rejects.toMatchObject({
      code: "PASSWORD_TOO_WEAK",
      meta: { reason: "password_too_weak", min_length: 12 },
    });
    await expect(keystore.create({ walletId: "main", password: password() })).rejects.toThrow(
      hasCode("WALLET_EXISTS"),
    );
    await expect(keystore.exportPhrase("copy", secret(OTHER_PASSWORD))).rejects.toThrow(
      hasCode("INVALID_ARGUMENT"),
    );
  });
});
