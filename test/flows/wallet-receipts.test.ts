/** Receipts: read from coordinators, checked, kept, and told over REST, JSON-RPC and the bus. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { attestReceipt, signReceipt } from "../../src/domain/receipt/sign.ts";
import { codeOf, freshDirectory } from "../harness/database.ts";
import { readStream } from "../harness/events.ts";
import { job } from "../harness/jobs.ts";
import { poll } from "../harness/poll.ts";
import {
  COORDINATOR_KEY_ID,
  goodReceipt,
  jobIdOf,
  MINER_KEY_ID,
  ReceiptCoordinator,
} from "../harness/receipt-coordinator.ts";
import { COORDINATOR_KEY, MINER_KEY } from "../harness/receipts.ts";
import { bootWallet, type TestWallet, walletOf } from "../harness/wallet.ts";

/** A wallet that reads receipts of this coordinator, and looks for new ones only when a test asks. */
async function follow(coordinator: ReceiptCoordinator, pollSeconds = 86_400): Promise<TestWallet> {
  const keyFile = join(freshDirectory(), "client.key");
  writeFileSync(keyFile, "a key", { mode: 0o600 });
  return bootWallet({
    settings: {
      "wallet.coordinators": JSON.stringify([
        { url: coordinator.url, api_key_file: keyFile, keys: [COORDINATOR_KEY_ID] },
      ]),
      "wallet.receipt_poll_seconds": String(pollSeconds),
    },
  });
}

/** What the wallet told of a job on its own, once it has. */
async function toldOf({ client }: TestWallet, jobId: string): Promise<Record<string, unknown>> {
  const { items } = await poll(
    () => client.listEvents({ limit: 200 }),
    (page) => page.items.some(({ data }) => data["job_id"] === jobId),
  );
  return items.findLast(({ data }) => data["job_id"] === jobId)?.data ?? {};
}

describe("a job of the coordinator in the same process", () => {
  it("has its receipt read and checked without being asked; REST and JSON-RPC tell the same", async () => {
    const settings = { roles: "coordinator,miner,wallet" };
    const wallet = await bootWallet({ settings });
    const { job_id } = await wallet.daemon.client.submitJob(job("What is 37 + 45?"));
    await readStream(wallet.daemon.client, job_id);
    expect(await toldOf(wallet, job_id)).toEqual({
      job_id,
      receipts: 1,
      all_verified: true,
      failure_reasons: [],
    });
    const { status, body } = await wallet.raw.get(`/v1/receipts/${job_id}`);
    expect(status).toBe(200);
    // The members that existing clients read, typed by hand.
    expect(body["result"]).toMatchObject({
      job_id,
      receipt_id: `rcpt-${job_id}-1`,
      miner_signature: { key_id: expect.stringMatching(/^[\w-]{43}$/), alg: "Ed25519", valid: true },
      coordinator_attestations: [{ key_id: wallet.daemon.coordinatorKey, alg: "Ed25519", valid: true }],
      all_valid: true,
    });
    expect(body["status"]).toMatchObject({ receipts: 1, all_verified: true, failure_reasons: [] });
    const history = await wallet.raw.get(`/v1/receipts/${job_id}/history`);
    expect([history.body["result"], history.body["items"]]).toEqual([body["result"], [body["result"]]]);
    for (const method of ["receipts.verify_latest", "receipts.verify_history", "receipts.status"]) {
      const call = { jsonrpc: "2.0", id: 1, method, params: { job_id } };
      const { result } = (await wallet.raw.post("/rpc", call)).body as { result: Record<string, unknown> };
      expect(result["job_id"]).toBe(job_id);
      if (method !== "receipts.status") expect(result["all_valid"]).toBe(true);
      if (method === "receipts.verify_history") expect(result["items"]).toEqual([body["result"]]);
    }
  });
});

describe("receipts of a coordinator elsewhere", () => {
  it("are read page by page, and only once", async () => {
    const coordinator = await ReceiptCoordinator.start();
    const jobId = coordinator.add(1, 5);
    const wallet = await follow(coordinator);
    const { items, status } = await wallet.client.verifyReceiptHistory(jobId, {});
    expect(items.map(({ receipt_id }) => receipt_id)).toEqual(
      [1, 2, 3, 4, 5].map((token) => `rcpt-${jobId}-${token}`),
    );
    expect(status).toMatchObject({ receipts: 5, verified: 5, complete: true, all_verified: true });
    expect(items[0]).toMatchObject({
      miner_signature: { key_id: MINER_KEY_ID, valid: true, trusted: false },
      coordinator_attestations: [{ valid: true, trusted: true }],
      coordinator: coordinator.url,
    });
    await toldOf(wallet, jobId);
    const asked = coordinator.asked.length;
    await wallet.client.verifyReceiptHistory(jobId, { limit: 2 });
    expect(coordinator.asked).toHaveLength(asked);
    const page = await wallet.client.verifyReceiptHistory(jobId, { limit: 2 });
    const rest = await wallet.client.verifyReceiptHistory(jobId, { cursor: page.next_cursor ?? "" });
    expect([page.items.length, rest.items.length, rest.next_cursor]).toEqual([2, 3, null]);
  });

  it("go on where a reading broke off, and what was read before is told meanwhile", async () => {
    const coordinator = await ReceiptCoordinator.start();
    const jobId = coordinator.add(1, 5);
    coordinator.fault = (path) => (path.includes("cursor=2") ? 400 : undefined);
    const wallet = await follow(coordinator);
    const half = await wallet.client.verifyReceiptHistory(jobId, {});
    expect([half.items.length, half.status.complete]).toEqual([2, false]);
    coordinator.fault = () => undefined;
    coordinator.asked.length = 0;
    const whole = await wallet.client.verifyReceiptHistory(jobId, {});
    expect([whole.items.length, whole.status.complete]).toEqual([5, true]);
    expect(coordinator.asked.filter((path) => /receipts\?limit=\d+$/.test(path))).toEqual([]);
  });

  it("grow while the job runs", async () => {
    const coordinator = await ReceiptCoordinator.start();
    const jobId = coordinator.add(1, 1);
    const running = coordinator.jobs.get(jobId);
    if (!running) throw new Error("it was added");
    running.ended = false;
    const wallet = await follow(coordinator);
    expect((await wallet.client.verifyLatestReceipt(jobId)).status).toMatchObject({
      receipts: 1,
      complete: false,
    });
    running.receipts.push(goodReceipt(jobId, 2));
    running.ended = true;
    const { result, status } = await wallet.client.verifyLatestReceipt(jobId);
    expect([result.receipt_id, status.receipts, status.complete]).toEqual([`rcpt-${jobId}-2`, 2, true]);
  });

  it("that a coordinator made up are shown as such, each with its reason", async () => {
    const coordinator = await ReceiptCoordinator.start();
    const jobId = coordinator.add(1, 1);
    const { signature: _signature, attestations: _attestations, ...bare } = goodReceipt(jobId, 4);
    const bad = [
      { ...goodReceipt(jobId, 2), price: 1 },
      goodReceipt(jobIdOf(9), 3),
      attestReceipt(bare, COORDINATOR_KEY),
      signReceipt(bare, MINER_KEY),
      { nonsense: true },
    ];
    coordinator.jobs.get(jobId)?.receipts.push(...bad);
    const wallet = await follow(coordinator);
    const { items, status } = await wallet.client.verifyReceiptHistory(jobId, {});
    expect(items.map(({ all_valid }) => all_valid)).toEqual([true, false, false, false, false, false]);
    expect(status).toMatchObject({ receipts: 6, verified: 1, complete: true, all_verified: false });
    for (const reason of [
      /^rcpt-.*-2: miner_signature: /,
      /^rcpt-.*-2: attestation: /,
      /^rcpt-.*-3: job_id: the receipt is another job's$/,
      /^rcpt-.*-4: miner_signature: the miner did not sign/,
      /^rcpt-.*-4: attestation: no coordinator attests/,
      /: form: the receipt cannot be read/,
    ]) {
      expect(status.failure_reasons).toEqual(expect.arrayContaining([expect.stringMatching(reason)]));
    }
    expect(await toldOf(wallet, jobId)).toMatchObject({ all_verified: false, receipts: 6 });
    const goodId = coordinator.add(2, 1);
    await wallet.client.verifyLatestReceipt(goodId);
    const listed = async (failed?: string) =>
      (await wallet.client.listReceiptStatus({ failed })).items.map(({ job_id }) => job_id);
    expect(new Set(await listed())).toEqual(new Set([goodId, jobId]));
    expect(await listed("true")).toEqual([jobId]);
  });

  it("are found by following: all jobs at first, then the new ones, whatever fails meanwhile", async () => {
    const coordinator = await ReceiptCoordinator.start();
    const early = [1, 2, 3, 4, 5].map((n) => coordinator.add(n * 1000));
    const broken = new Set<string>();
    // The walk through the jobs breaks off once, and one job's receipts cannot be read at first.
    coordinator.fault = (path) => {
      const breaks = path.includes("cursor=") || path.includes(`${early[3]}/receipts`);
      if (!breaks || broken.has(path)) return undefined;
      broken.add(path);
      return 400;
    };
    const wallet = await follow(coordinator, 1);
    for (const jobId of early) expect(await toldOf(wallet, jobId)).toMatchObject({ all_verified: true });
    coordinator.fault = () => undefined;
    const late = coordinator.add(6000);
    expect(await toldOf(wallet, late)).toMatchObject({ all_verified: true });
    await poll(
      () => wallet.client.listReceiptStatus({}),
      ({ items }) => items.length === 6 && items.every(({ complete }) => complete),
    );
  });

  it("are found by following however many there are: each round takes its part", async () => {
    const coordinator = await ReceiptCoordinator.start();
    const jobs = Array.from({ length: 120 }, (_, n) => coordinator.add(n));
    // Jobs that run on are looked at in each round, and hold up none that come after them.
    for (const jobId of jobs.slice(0, 60)) {
      const running = coordinator.jobs.get(jobId);
      if (running) running.ended = false;
    }
    const wallet = await follow(coordinator, 1);
    await poll(
      () => wallet.client.listReceiptStatus({ limit: 200 }),
      ({ items }) => items.length === 120 && items.filter(({ complete }) => complete).length === 60,
    );
  });

  it("stay when their coordinator is gone, and over a restart", async () => {
    const coordinator = await ReceiptCoordinator.start();
    const jobId = coordinator.add(1, 2);
    const running = coordinator.jobs.get(jobId);
    if (running) running.ended = false;
    const wallet = await follow(coordinator);
    await wallet.client.verifyLatestReceipt(jobId);
    coordinator.stop();
    const again = walletOf(await wallet.daemon.restart());
    const { items, status } = await again.client.verifyReceiptHistory(jobId, {});
    expect([items.length, status.all_verified, status.complete]).toEqual([2, true, false]);
    const other = await again.raw.get(`/v1/receipts/${jobIdOf(7)}`);
    expect([other.status, other.body["detail"]]).toEqual([
      404,
      `receipt not found; ${coordinator.url} could not be asked`,
    ]);
  });

  it("that nobody has are not found, and ids that are none are never asked for", async () => {
    const coordinator = await ReceiptCoordinator.start();
    const { client } = await follow(coordinator);
    expect(await codeOf(client.verifyLatestReceipt(jobIdOf(1)))).toBe("RECEIPT_NOT_FOUND");
    expect(await codeOf(client.verifyLatestReceipt("../admin/keys"))).toBe("RECEIPT_NOT_FOUND");
    expect(coordinator.asked.filter((path) => path.includes("admin/keys"))).toEqual([]);
  });
});
