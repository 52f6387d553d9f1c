import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { argon2id } from "../../../../test/harness/argon2.ts";
import { GOOD_PASSWORD, keystoreIn, secret, temporaryDirectory } from "../../../../test/harness/keystore.ts";
import { findInMemory } from "../../../../test/harness/process-memory.ts";
import { childrenOf, isRunning } from "../../../../test/harness/process-table.ts";
import type { Order } from "../../../../test/harness/signer-daemon.ts";
import { entropyOfPhrase, seedOfPhrase } from "../../../crypto/bip39.ts";
import { SecretBytes } from "../../../crypto/secret-bytes.ts";

const DAEMON = resolve(import.meta.dirname, "../../../../test/harness/signer-daemon.ts");

/** A process that unlocks wallets, and the answer to what it is told. */
function startDaemon(directory: string, ...mode: readonly string[]) {
  const child: ChildProcess = fork(DAEMON, [directory, ...mode]);
  return {
    pid: child.pid ?? 0,
    async tell(order: Order): Promise<number> {
      child.send(order);
      const [answer] = (await once(child, "message")) as [{ pid: number; error?: string }];
      expect(answer.error).toBeUndefined();
      return answer.pid;
    },
    [Symbol.dispose]: () => void child.kill("SIGKILL"),
  };
}

/** A directory with a wallet whose key the test knows. */
async function walletOf(key: Uint8Array) {
  const temporary = temporaryDirectory();
  await keystoreIn(temporary.path, argon2id).create({
    walletId: "main",
    password: secret(GOOD_PASSWORD),
    secret: { kind: "key", key: new SecretBytes(Uint8Array.from(key)) },
  });
  return temporary;
}

const onLinux = process.platform === "linux";

/** Time for a few processes and scans of all their memory, on a machine that is busy. */
const PATIENCE = { timeout: 60_000 };

describe.skipIf(!onLinux)("the memory of processes, looked at from outside", PATIENCE, () => {
  it("holds the key in the signer's process alone while a wallet is unlocked, and nowhere once it is locked", async () => {
    const key = randomBytes(32);
    using temporary = await walletOf(key);
    using daemon = startDaemon(temporary.path);
    const signerPid = await daemon.tell({ do: "unlock", walletId: "main" });
    await daemon.tell({ do: "sign", walletId: "main" });
    expect(signerPid).not.toBe(daemon.pid);
    // The scan finds a key where there is one.
    expect(findInMemory(signerPid, key)).toContain("raw");
    expect(findInMemory(daemon.pid, key)).toEqual([]);
    await daemon.tell({ do: "lock", walletId: "main" });
    expect(isRunning(signerPid)).toBe(false);
    expect(childrenOf(daemon.pid)).toEqual([]);
    expect(findInMemory(daemon.pid, key)).toEqual([]);
  });

  it("never holds the keys or the phrase of a wallet that the daemon itself has made", async () => {
    using temporary = temporaryDirectory();
    using daemon = startDaemon(temporary.path);
    for (const what of ["create", "unlock", "sign", "lock"] as const) {
      await daemon.tell({ do: what, walletId: "fresh" });
    }
    const keystore = keystoreIn(temporary.path, argon2id);
    using key = await keystore.exportKey("fresh", secret(GOOD_PASSWORD));
    using phrase = await keystore.exportPhrase("fresh", secret(GOOD_PASSWORD));
    const words = new TextDecoder().decode(phrase.bytes);
    const seed = await seedOfPhrase(words);
    expect(childrenOf(daemon.pid)).toEqual([]);
    for (const known of [key.bytes, phrase.bytes, entropyOfPhrase(words), seed]) {
      expect(findInMemory(daemon.pid, known)).toEqual([]);
    }
  });

  it("holds the key after the lock where a process decrypts for itself: the scan can fail", async () => {
    using temporary = temporaryDirectory();
    const key = randomBytes(32);
    // Made with the hash that costs nothing, which such a process uses here.
    await keystoreIn(temporary.path).create({
      walletId: "main",
      password: secret(GOOD_PASSWORD),
      secret: { kind: "key", key: new SecretBytes(Uint8Array.from(key)) },
    });
    using daemon = startDaemon(temporary.path, "here");
    await daemon.tell({ do: "unlock", walletId: "main" });
    await daemon.tell({ do: "sign", walletId: "main" });
    await daemon.tell({ do: "lock", walletId: "main" });
    expect(findInMemory(daemon.pid, key)).toContain("raw");
  });

  it.each([
    ["hex", (key: Buffer) => key.toString("hex")],
    ["base64", (key: Buffer) => key.toString("base64")],
    ["base64url", (key: Buffer) => key.toString("base64url")],
    ["hex in UTF-16", (key: Buffer) => `${key.toString("hex")}\u{1f511}`],
  ])("is searched for a key as %s", (form, write) => {
    const key = randomBytes(32);
    const kept = write(key);
    expect(findInMemory(process.pid, key)).toContain(form);
    expect(kept.length).toBeGreaterThan(0);
  });
});
