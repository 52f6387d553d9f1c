/** The wallet's commands as a person runs them: with files, on a terminal, and beside a daemon. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fromHex } from "../../src/crypto/bytes.ts";
import { EXIT } from "../../src/kernel/errors.ts";
import { readStream } from "../harness/events.ts";
import { Sandbox, type Served } from "../harness/process.ts";
import type { CommandName } from "../harness/process-calls.ts";
import { findInMemory } from "../harness/process-memory.ts";
import { childrenOf, isRunning } from "../harness/process-table.ts";

const PASSWORD = "Correct-Horse-7";
const FROM_FILE = ["--password-file", "pw"] as const;
const REALM = "ab".repeat(32);
/** Time for a test of many commands, each of which hashes passwords, on a machine that is busy. */
const MANY_COMMANDS = { timeout: 90_000 };

let machine: Sandbox;
let served: Served;
/** Where the wallet's listener is. */
let walletUrl: string;
beforeAll(async () => {
  machine = new Sandbox();
  writeFileSync(join(machine.home, "pw"), `${PASSWORD}\n`);
  served = await machine.serve(["--roles", "coordinator,miner,wallet"], { env: { AITBC_WALLET__PORT: "0" } });
  [, walletUrl = ""] = await served.process.match(/"wallet":"([^"]+)"/);
});
afterAll(() => machine[Symbol.asyncDispose]());

const run = (command: CommandName, ...args: readonly string[]) =>
  machine.run([...command.split(" ").slice(1), ...args]);

/** What a command that must succeed prints for scripts. */
async function json<T = Record<string, string>>(
  command: CommandName,
  ...args: readonly string[]
): Promise<T> {
  const { code, stdout, stderr } = await run(command, ...args, "--output", "json");
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return JSON.parse(stdout) as T;
}

/** What a command that must succeed prints for people. */
async function text(command: CommandName, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, ...args);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return stdout;
}

const create = (id: string) => json("aitbc wallet create", id, ...FROM_FILE);

describe("without a daemon", () => {
  it("create, list, info, address, accounts, change-password and delete", MANY_COMMANDS, async () => {
    const made = await create("main");
    expect(Object.keys(made)).toEqual(["wallet_id", "public_key", "address"]);
    expect(await json("aitbc wallet list")).toEqual([made]);
    expect(await json("aitbc wallet info", "main")).toMatchObject(made);
    expect(await text("aitbc wallet address", "main")).toBe(`${made["address"]}\n`);
    expect(await json("aitbc wallet accounts", "main", "--add", ...FROM_FILE)).toHaveLength(2);
    writeFileSync(join(machine.home, "next"), "one two three four five\n");
    await text("aitbc wallet change-password", "main", ...FROM_FILE, "--new-password-file", "next");
    expect((await run("aitbc wallet delete", "main", ...FROM_FILE)).code).toBe(EXIT.denied);
    await text("aitbc wallet delete", "main", "--password-file", "next");
    expect(await json("aitbc wallet list")).toEqual([]);
  });

  it("sign and verify, request-payment", async () => {
    const { address = "" } = await create("signer");
    const { public_key = "", signature = "" } = await json(
      "aitbc wallet sign",
      "signer",
      "--message",
      "hello",
      ...FROM_FILE,
    );
    const given = ["--public-key", public_key, "--signature", signature];
    expect((await run("aitbc wallet verify", "--message", "hello", ...given)).code).toBe(0);
    expect((await run("aitbc wallet verify", "--message", "hullo", ...given)).code).toBe(EXIT.receiptInvalid);
    expect(await text("aitbc wallet request-payment", "signer")).toContain(`aitbc:${address}`);
  });

  it("backup and restore, export and import", MANY_COMMANDS, async () => {
    const { public_key } = await create("kept");
    await text("aitbc wallet backup", "kept", "kept.json", ...FROM_FILE);
    const again = await json("aitbc wallet restore", "kept.json", "--as", "restored", ...FROM_FILE);
    await text("aitbc wallet export", "kept", "--phrase", "--file", "phrase", ...FROM_FILE);
    const imported = await json("aitbc wallet import", "phrased", "--phrase-file", "phrase", ...FROM_FILE);
    expect([again["public_key"], imported["public_key"]]).toEqual([public_key, public_key]);
  });

  it("multisig: an account of two signs together", MANY_COMMANDS, async () => {
    const [a, b] = [await create("one"), await create("two")].map((wallet) => wallet["public_key"] ?? "");
    const policy = ["--threshold", "2", "--signer", a ?? "", "--signer", b ?? ""];
    const account = await json("aitbc wallet multisig-create", ...policy);
    writeFileSync(join(machine.home, "doc.json"), '{"rent":12}');
    const proposed = ["--document", "doc.json", "--realm", REALM, ...policy, "--file", "p"];
    await text("aitbc wallet multisig-propose", ...proposed);
    await text("aitbc wallet multisig-sign", "one", "p", "--file", "p1", ...FROM_FILE);
    await text("aitbc wallet multisig-sign", "two", "p", "--file", "p2", ...FROM_FILE);
    await text("aitbc wallet multisig-combine", "p1", "p2", "--file", "done");
    const verified = await json("aitbc wallet multisig-verify", "done", "--realm", REALM);
    expect(verified).toMatchObject({ valid: true, address: account["address"] });
  });
});

describe("on a terminal", () => {
  it("a password is asked for twice and shows nowhere", async () => {
    const typing = machine.spawnOnTerminal(["wallet", "create", "typed"]);
    await typing.matchOutput(/New password: /);
    typing.child.stdin?.write(`${PASSWORD}\r`);
    await typing.matchOutput(/Again: /);
    typing.child.stdin?.write(`${PASSWORD}\r`);
    const { code, stdout } = await typing.ended;
    expect([code, stdout]).toEqual([0, expect.stringContaining("ait1")]);
    expect(stdout).not.toContain(PASSWORD);
    await text("aitbc wallet sign", "typed", "--message", "x", ...FROM_FILE);
  });

  it("Ctrl-C at the prompt ends the command, and makes nothing", async () => {
    const typing = machine.spawnOnTerminal(["wallet", "create", "given-up"]);
    await typing.matchOutput(/New password: /);
    typing.child.stdin?.write("Correct\u0003");
    expect((await typing.ended).code).toBe(130);
    expect((await run("aitbc wallet info", "given-up")).code).toBe(EXIT.notFound);
  });
});

describe("beside a daemon", () => {
  /** The daemon, and all processes that it has started. */
  const processes = (pid: number): readonly number[] => [pid, ...childrenOf(pid).flatMap(processes)];

  it(
    "unlock, sign in the session, lock: then no process of it holds the key, seen from outside",
    MANY_COMMANDS,
    async () => {
      const { public_key = "" } = await create("online");
      const exported = await json("aitbc wallet export", "online", "--key", ...FROM_FILE);
      const key = fromHex("key", exported["secret_key"] ?? "");
      const daemon = served.process.pid;
      const before = processes(daemon);
      const at = ["--wallet-url", walletUrl];
      await text("aitbc wallet unlock", "online", ...FROM_FILE, ...at, "--session-file", "session");
      const inSession = ["--session-file", "session", ...at];
      const signed = await json("aitbc wallet sign", "online", "--message", "x", ...inSession);
      expect(signed["public_key"]).toBe(public_key);
      const given = ["--public-key", public_key, "--signature", signed["signature"] ?? ""];
      expect((await run("aitbc wallet verify", "--message", "x", ...given)).code).toBe(0);
      const [signer = 0, ...others] = processes(daemon).filter((pid) => !before.includes(pid));
      expect(others).toEqual([]);
      // The scan sees the key where it is, and it is nowhere else.
      expect(findInMemory(signer, key)).toContain("raw");
      for (const pid of before) expect(findInMemory(pid, key)).toEqual([]);
      await text("aitbc wallet lock", "online", ...at);
      expect(isRunning(signer)).toBe(false);
      for (const pid of processes(daemon)) expect(findInMemory(pid, key)).toEqual([]);
      const late = await run("aitbc wallet sign", "online", "--message", "x", ...inSession);
      expect([late.code, late.stdout]).toEqual([EXIT.denied, ""]);
      expect(readFileSync(join(machine.home, "session"), "utf8")).toMatch(/^\S+\n$/);
    },
  );

  it("receipts: what those of a job are worth", async () => {
    const client = served.client();
    const { job_id } = await client.submitJob({ payload: { type: "inference", prompt: "What is 37 + 45?" } });
    await readStream(client, job_id);
    const told = await text("aitbc wallet receipts", job_id, "--wallet-url", walletUrl);
    expect(told).toMatch(/receipts +1 of 1 verified/);
    expect(told).toMatch(/miner +valid/);
    expect(await text("aitbc wallet receipts", "--wallet-url", walletUrl)).toContain(job_id);
  });
});
