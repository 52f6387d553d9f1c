/** Unlock sessions over a real socket, with real processes that hold the keys. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import Sqlite from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dataPaths } from "../../src/config/data-paths.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { LONGEST_WAIT_MS } from "../../src/roles/wallet/sessions/backoff.ts";
import { TestClock } from "../harness/clock.ts";
import { codeOf } from "../harness/database.ts";
import { poll } from "../harness/poll.ts";
import { childrenOf } from "../harness/process-table.ts";
import {
  bootWallet,
  PASSWORD,
  startWallet,
  type TestWallet,
  WRONG_PASSWORD,
  walletOf,
} from "../harness/wallet.ts";

const MESSAGE = { message_base64: Buffer.from("hello").toString("base64") };
const REALM = sha256Hex("a realm");

const clock = new TestClock();
let wallet: TestWallet;
beforeAll(async () => {
  wallet = await startWallet({ clock });
  for (const wallet_id of ["a", "b"]) await wallet.client.createWallet({ wallet_id, password: PASSWORD });
});
afterAll(() => wallet.daemon[Symbol.asyncDispose]());

/** Processes that hold keys of this wallet's directory: other tests of this process have theirs. */
function signers(): number[] {
  return childrenOf(process.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(wallet.daemon.dataDir);
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}

/** Waits until a wallet was locked without being asked. */
async function lockedByItself(walletId: string): Promise<void> {
  await poll(
    () => wallet.client.getWallet(walletId),
    ({ unlocked }) => !unlocked,
  );
}

describe("an unlock session", () => {
  it("signs with its token until the wallet is locked; then nothing of it is left", async () => {
    const { client } = wallet;
    const { session, session_token } = await client.unlock("a", { password: PASSWORD });
    expect(signers()).toHaveLength(1);
    const one = await client.signMessage("a", { session_token, ...MESSAGE });
    const other = await client.signMessage("a", { password: PASSWORD, ...MESSAGE });
    expect(other.signature_base64).toBe(one.signature_base64);
    expect((await client.getWallet("a")).unlocked).toBe(true);
    expect(await client.listSessions()).toEqual([
      expect.objectContaining({ session_id: session.session_id }),
    ]);
    await client.lock("a");
    expect(await codeOf(client.signMessage("a", { session_token, ...MESSAGE }))).toBe("WALLET_LOCKED");
    expect((await client.getWallet("a")).unlocked).toBe(false);
    expect(await client.listSessions()).toEqual([]);
    expect(signers()).toEqual([]);
  });

  it("is no other wallet's, and its id opens nothing", async () => {
    const { client } = wallet;
    const { session, session_token } = await client.unlock("a", { password: PASSWORD });
    expect(await codeOf(client.signMessage("b", { session_token, ...MESSAGE }))).toBe("WALLET_LOCKED");
    const { session_id } = session;
    expect(await codeOf(client.signMessage("a", { session_token: session_id, ...MESSAGE }))).toBe(
      "WALLET_LOCKED",
    );
    const listed = await wallet.raw.get("/v1/sessions");
    expect(listed.text).not.toContain(session_token);
    await client.lock("a");
  });

  it("does what its scope names: operations, and what they move together", async () => {
    const { client } = wallet;
    const { session_token } = await client.unlock("a", {
      password: PASSWORD,
      operations: ["sign_document"],
      max_amount_uait: "10",
    });
    expect(await codeOf(client.signMessage("a", { session_token, ...MESSAGE }))).toBe("OUTSIDE_SCOPE");
    const pay = (amount: number) =>
      client.signDocument("a", { session_token, realm: REALM, document: { pay: { amount } } });
    await pay(6);
    expect(await codeOf(pay(5))).toBe("OUTSIDE_SCOPE");
    await pay(4);
    expect(await codeOf(pay(1))).toBe("OUTSIDE_SCOPE");
    const unsigned = { session_token, realm: REALM, document: { amount: "Ünicode" } };
    expect(await codeOf(client.signDocument("a", unsigned))).toBe("INVALID_PAYLOAD");
    await client.lock("a");
  });

  it("moves nothing unless it was opened for that", async () => {
    const { client } = wallet;
    const { session_token } = await client.unlock("a", { password: PASSWORD });
    const document = { amount_uait: "1" };
    const pay = client.signDocument("a", { session_token, realm: REALM, document });
    expect(await codeOf(pay)).toBe("OUTSIDE_SCOPE");
    await client.signDocument("a", { session_token, realm: REALM, document: { memo: "free" } });
    await client.lock("a");
  });

  it("ends when it was not used for its time, and the keys leave the memory without being asked", async () => {
    const { client } = wallet;
    const { session_token } = await client.unlock("a", { password: PASSWORD, idle_seconds: 60 });
    clock.advance(59_000);
    await client.signMessage("a", { session_token, ...MESSAGE });
    clock.advance(59_000);
    await client.signMessage("a", { session_token, ...MESSAGE });
    clock.advance(60_000);
    expect(await codeOf(client.signMessage("a", { session_token, ...MESSAGE }))).toBe("WALLET_LOCKED");
    await lockedByItself("a");
    expect(signers()).toEqual([]);
    const noted = { operation: "lock", wallet_id: "a", via: "daemon", outcome: "ok" };
    await poll(
      () => client.listAccess({ limit: 200 }),
      ({ items }) => items.some((item) => isDeepStrictEqual({ ...item, ...noted }, item)),
    );
  });

  it("ends at its time however often it is used, and asks for no more than the configuration allows", async () => {
    const { client } = wallet;
    const { session, session_token } = await client.unlock("a", {
      password: PASSWORD,
      idle_seconds: 86_400,
      max_seconds: 86_400,
    });
    expect(Date.parse(session.ends_at) - Date.parse(session.opened_at)).toBe(3600_000);
    expect(Date.parse(session.idle_ends_at) - Date.parse(session.opened_at)).toBe(300_000);
    for (let minutes = 4; minutes < 60; minutes += 4) {
      clock.advance(240_000);
      await client.signMessage("a", { session_token, ...MESSAGE });
    }
    clock.advance(240_000);
    expect(await codeOf(client.signMessage("a", { session_token, ...MESSAGE }))).toBe("WALLET_LOCKED");
    await lockedByItself("a");
  });

  it("is one of several that share a process, which goes with the last", async () => {
    const { client } = wallet;
    const first = await client.unlock("a", { password: PASSWORD });
    const second = await client.unlock("a", { password: PASSWORD, operations: ["sign_document"] });
    expect(signers()).toHaveLength(1);
    await client.endSession(first.session.session_id);
    expect(await codeOf(client.endSession(first.session.session_id))).toBe("SESSION_NOT_FOUND");
    expect((await client.getWallet("a")).unlocked).toBe(true);
    await client.endSession(second.session.session_id);
    expect([(await client.getWallet("a")).unlocked, signers()]).toEqual([false, []]);
  });

  it("ends when the process that holds the keys is killed", async () => {
    const { client } = wallet;
    const { session_token } = await client.unlock("a", { password: PASSWORD });
    for (const pid of signers()) process.kill(pid, "SIGKILL");
    await lockedByItself("a");
    expect(await codeOf(client.signMessage("a", { session_token, ...MESSAGE }))).toBe("WALLET_LOCKED");
  });

  it("of every wallet ends at once when all are locked", async () => {
    const { client } = wallet;
    for (const id of ["a", "b"]) await client.unlock(id, { password: PASSWORD });
    expect([...(await client.lockAll())].sort()).toEqual(["a", "b"]);
    expect(await client.lockAll()).toEqual([]);
  });
});

describe("what was done with keys", () => {
  it("is listed, refusals too, and tells neither passwords nor tokens", async () => {
    const { client } = wallet;
    const { items: before } = await client.listAccess({ limit: 200 });
    const { session, session_token } = await client.unlock("b", { password: PASSWORD });
    await client.signMessage("b", { session_token, ...MESSAGE });
    await codeOf(client.signMessage("b", { password: WRONG_PASSWORD, ...MESSAGE }));
    await wallet.raw.post("/rpc", {
      jsonrpc: "2.0",
      id: 1,
      method: "wallet.lock",
      params: { wallet_id: "b" },
    });
    const after = before.at(-1)?.seq ?? 0;
    const page = await wallet.raw.get(`/v1/access-log?cursor=${after}&limit=200`);
    expect(page.body["items"]).toMatchObject([
      { operation: "unlock", wallet_id: "b", session_id: session.session_id, via: "rest", outcome: "ok" },
      { operation: "sign_message", session_id: session.session_id, outcome: "ok" },
      { operation: "sign_message", session_id: null, outcome: "INVALID_CREDENTIALS" },
      { operation: "lock", via: "rpc", outcome: "ok" },
    ]);
    for (const secret of [PASSWORD, WRONG_PASSWORD, session_token]) expect(page.text).not.toContain(secret);
    const events = await client.listEvents({ limit: 200 });
    expect(events.items.slice(-2)).toMatchObject([
      { event: "wallet.unlocked", data: { wallet_id: "b", session_id: session.session_id } },
      { event: "wallet.locked", data: { wallet_id: "b", reason: "asked" } },
    ]);
  });

  it("is read page by page", async () => {
    const all = (await wallet.client.listAccess({ limit: 200 })).items;
    const seen: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await wallet.client.listAccess({ limit: 3, cursor });
      seen.push(...page.items.map(({ seq }) => seq));
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(all.map(({ seq }) => seq));
  });

  it.each(["wallet_access", "wallet_event"])(
    "is never changed or deleted: the database refuses it (%s)",
    (table) => {
      const raw = new Sqlite(join(wallet.daemon.dataDir, "aitbc.db"));
      try {
        for (const statement of [`update ${table} set at = 0`, `delete from ${table}`]) {
          expect(() => raw.prepare(statement).run()).toThrow("rows are only added here");
        }
      } finally {
        raw.close();
      }
    },
  );
});

describe("a keystore file that is damaged", () => {
  it("is named, opens for no password, and breaks no other wallet", async () => {
    const { client, raw, daemon } = await bootWallet();
    for (const wallet_id of ["bad", "good"]) await client.createWallet({ wallet_id, password: PASSWORD });
    const file = join(dataPaths(daemon.dataDir).wallets, "bad.json");
    writeFileSync(file, readFileSync(file, "utf8").replace(/"ciphertext":"./, '"ciphertext":"_'));
    const { items, damaged } = await client.listWallets();
    expect([items.map(({ wallet_id }) => wallet_id), damaged]).toEqual([["good"], ["bad"]]);
    const { status, body } = await raw.post("/v1/wallets/bad/unlock", { password: PASSWORD });
    expect([status, body["code"], body["title"]]).toEqual([
      500,
      "KEYSTORE_DAMAGED",
      "The keystore file is damaged",
    ]);
    await client.signMessage("good", { password: PASSWORD, ...MESSAGE });
  });
});

describe("a restart", () => {
  it("locks everything, and forgets neither wrong passwords nor calls nor what was done", async () => {
    const time = new TestClock();
    const first = await bootWallet({ clock: time });
    await first.client.createWallet({ wallet_id: "w", password: PASSWORD });
    const { session_token } = await first.client.unlock("w", { password: PASSWORD });
    // The waits double from one second on: the last one is long enough for the slowest machine.
    for (let failure = 0; failure < 9; failure++) {
      expect(await codeOf(first.client.unlock("w", { password: WRONG_PASSWORD }))).toBe(
        "INVALID_CREDENTIALS",
      );
      if (failure < 8) time.advance(LONGEST_WAIT_MS);
    }
    for (let call = 0; call < 30; call++) {
      await codeOf(first.client.unlock("not-there", { password: WRONG_PASSWORD }));
    }
    const done = (await first.client.listAccess({ limit: 200 })).items;
    const second = walletOf(await first.daemon.restart());
    expect(await codeOf(second.client.signMessage("w", { session_token, ...MESSAGE }))).toBe("WALLET_LOCKED");
    expect(await codeOf(second.client.unlock("w", { password: PASSWORD }))).toBe("RATE_LIMITED");
    expect(await codeOf(second.client.unlock("not-there", { password: PASSWORD }))).toBe("RATE_LIMITED");
    expect((await second.client.listAccess({ limit: 200 })).items.slice(0, done.length)).toEqual(done);
    const { headers } = await second.raw.post("/v1/wallets/not-there/unlock", { password: PASSWORD });
    expect(Number(headers["retry-after"])).toBeGreaterThan(0);
    // The same token is in the same file.
    expect(second.token).toBe(first.token);
  });
});
