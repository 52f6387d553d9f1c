import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { KeyKind } from "../../src/wire/access.ts";
import { TestDaemon } from "../harness/daemon.ts";
import { ScriptedMiner } from "../harness/scripted-miner.ts";

/** The calls of existing clients, typed by hand: their paths, bodies and members, over a real socket. */
let daemon: TestDaemon;
const submitted: string[] = [];

type Json = Record<string, unknown> & { items: Record<string, unknown>[] };

async function call(
  kind: KeyKind | "nobody",
  path: string,
  init: { method?: string; body?: unknown; key?: string } = {},
): Promise<{ status: number; body: Json }> {
  const key = init.key ?? (kind === "nobody" ? undefined : daemon.keys[kind]);
  const response = await fetch(`${daemon.url}${path}`, {
    method: init.method ?? "GET",
    headers: {
      ...(key !== undefined && { "X-Api-Key": key }),
      ...(init.body !== undefined && { "Content-Type": "application/json" }),
    },
    ...(init.body !== undefined && { body: JSON.stringify(init.body) }),
  });
  return { status: response.status, body: (await response.json()) as Json };
}

const submit = async (prompt: string, rest: object = {}): Promise<string> => {
  const body = { payload: { type: "inference", prompt, model: "llama3" }, ttl_seconds: 900, ...rest };
  return String((await call("client", "/v1/jobs", { method: "POST", body })).body["job_id"]);
};
const idsOf = ({ body }: { body: Json }): unknown[] => body.items.map(({ job_id }) => job_id);

beforeAll(async () => {
  daemon = await TestDaemon.start({ settings: { "log.level": "fatal" } });
  for (const prompt of ["the first question", 'a "quoted" question', "something else"]) {
    submitted.unshift(await submit(prompt));
  }
});
afterAll(() => daemon[Symbol.asyncDispose]());

describe("lists of jobs", () => {
  it.each(["/v1/jobs", "/api/v1/jobs", "/jobs", "/v1/jobs/history", "/api/v1/jobs/history", "/jobs/history"])(
    "%s has items, total, limit and offset",
    async (path) => {
      const { status, body } = await call("client", `${path}?limit=2&offset=1`);
      expect(status).toBe(200);
      expect(body).toMatchObject({ total: 3, limit: 2, offset: 1, total_is_lower_bound: false });
      expect(idsOf({ body })).toEqual(submitted.slice(1));
      expect(body["next_cursor"]).toBeNull();
    },
  );

  it("are walked by cursor without gap or repetition", async () => {
    const seen: unknown[] = [];
    let cursor = "";
    do {
      const page = await call("client", `/v1/jobs?limit=1${cursor && `&cursor=${cursor}`}`);
      seen.push(...idsOf(page));
      cursor = String(page.body["next_cursor"] ?? "");
    } while (cursor);
    expect(seen).toEqual(submitted);
  });

  it.each([
    ["status=QUEUED", 3],
    ["status=queued&job_type=inference", 3],
    ["status=COMPLETED", 0],
    ["job_type=training", 0],
    ["model=llama3", 3],
    ["model=other", 0],
    ["miner=nobody", 0],
    ["text=question", 2],
    [`text=${encodeURIComponent('"quoted"')}`, 1],
    ["text=inference", 0],
    ["text=llama3", 0],
    ["from=2020-01-01&to=2020-12-31", 0],
    ["from=2020-01-01&to=2999-01-01", 3],
    ["from=2999-01-01T00:00:00Z", 0],
  ])("filter by %s", async (query, total) => {
    const { body } = await call("client", `/v1/jobs/history?${query}`);
    expect([body["total"], body.items.length]).toEqual([total, total]);
  });

  it("with a filter are walked by cursor and offset alike", async () => {
    const first = await call("client", "/v1/jobs?text=question&limit=1");
    expect(idsOf(first)).toEqual([submitted[1]]);
    const byCursor = await call(
      "client",
      `/v1/jobs?text=question&limit=1&cursor=${first.body["next_cursor"]}`,
    );
    const byOffset = await call("client", "/v1/jobs?text=question&limit=1&offset=1");
    expect([idsOf(byCursor), idsOf(byOffset)]).toEqual([[submitted[2]], [submitted[2]]]);
    expect([byCursor.body["total"], byCursor.body["next_cursor"]]).toEqual([2, null]);
  });

  it.each(["status=NONSENSE", "limit=0", "limit=100000", "offset=-1", "from=yesterday", "cursor=x"])(
    "refuse %s",
    async (query) => {
      expect((await call("client", `/v1/jobs?${query}`)).status).toBe(422);
    },
  );

  it("show a client its own jobs only, an administrator all", async () => {
    const { key } = await daemon.admin.createKey({ kind: "client", name: "stranger" });
    expect((await call("client", "/v1/jobs", { key })).body).toMatchObject({ items: [], total: 0 });
    expect((await call("client", "/v1/jobs?text=question", { key })).body).toMatchObject({ total: 0 });
    expect((await call("admin", "/v1/jobs")).body["total"]).toBe(3);
    expect((await call("miner", "/v1/jobs")).status).toBe(403);
    const nobody = await call("nobody", "/v1/jobs");
    expect([nobody.status, nobody.body["detail"]]).toEqual([401, "invalid api key"]);
  });
});

describe("templates", () => {
  const template = {
    name: "greet",
    submission: {
      payload: { type: "inference", messages: [{ role: "user", content: "Hello {{ who }}, {{who}}!" }] },
      priority: 2,
    },
  };

  it("are kept, listed, submitted with variables, and deleted", async () => {
    const created = await call("client", "/v1/jobs/templates", { method: "POST", body: template });
    expect([created.status, created.body["variables"]]).toEqual([201, ["who"]]);
    const again = await call("client", "/v1/jobs/templates", { method: "POST", body: template });
    expect([again.status, again.body["code"]]).toEqual([409, "TEMPLATE_EXISTS"]);
    expect((await call("client", "/jobs/templates")).body.items).toHaveLength(1);
    const { key } = await daemon.admin.createKey({ kind: "client", name: "other" });
    expect((await call("client", "/v1/jobs/templates/greet", { key })).status).toBe(404);
    const path = "/api/v1/jobs/templates/greet/submit";
    const missing = await call("client", path, { method: "POST", body: { variables: {} } });
    expect([missing.status, missing.body["pointer"]]).toEqual([422, "/variables/who"]);
    const job = await call("client", path, { method: "POST", body: { variables: { who: "{{who}}" } } });
    expect(job).toMatchObject({ status: 201, body: { state: "QUEUED", priority: 2 } });
    const [row] = daemon.query<{ payload: string }>(
      "select payload from coordinator_job where job_id = ?",
      String(job.body["job_id"]),
    );
    expect(JSON.parse(row?.payload ?? "")).toMatchObject({
      messages: [{ content: "Hello {{who}}, {{who}}!" }],
    });
    await call("client", `/v1/jobs/${job.body["job_id"]}`, { method: "DELETE" });
    expect((await call("client", "/v1/jobs/templates/greet", { method: "DELETE" })).status).toBe(200);
    expect((await call("client", "/v1/jobs/templates/greet")).status).toBe(404);
  });
});

describe("administration", () => {
  it.each(["/v1/admin/stats", "/api/v1/admin/stats", "/admin/stats"])("%s", async (path) => {
    const { body } = await call("admin", path);
    expect(body).toMatchObject({
      total_jobs: 4,
      active_jobs: 3,
      online_miners: 0,
      avg_miner_job_duration_ms: 0,
      canceled_jobs: 1,
    });
  });

  it.each(["/v1/admin/status", "/admin/status", "/status"])("%s", async (path) => {
    const { body } = await call("admin", path);
    expect(body).toMatchObject({
      jobs: { total: 4, active: 3, completed: 0, failed: 0 },
      miners: { total: 0, online: 0, offline: 0, avg_job_duration_ms: 0 },
      status: "degraded",
    });
    const system = body["system"] as Record<string, number>;
    for (const name of ["cpu_percent", "memory_percent", "disk_percent"]) {
      expect(system[name]).toBeGreaterThanOrEqual(0);
      expect(system[name]).toBeLessThanOrEqual(100);
    }
    expect(system["memory_total_bytes"]).toBeGreaterThan(1e6);
    expect(system["disk_total_bytes"]).toBeGreaterThan(1e6);
  });

  it("lists jobs with their clients", async () => {
    const { body } = await call("admin", "/admin/jobs?status=QUEUED&limit=1");
    expect(body.items[0]).toMatchObject({
      job_id: submitted[0],
      state: "QUEUED",
      client_id: expect.stringMatching(/^client-/),
      assigned_miner_id: null,
      requested_at: expect.stringMatching(/^\d{4}-/),
    });
    const client = String(body.items[0]?.["client_id"]);
    expect((await call("admin", `/v1/admin/jobs?client_id=${client}`)).body["total"]).toBe(4);
    expect((await call("admin", `/v1/admin/jobs/${submitted[0]}`)).body["client_id"]).toBe(client);
    expect((await call("admin", `/v1/admin/jobs/${"0".repeat(32)}`)).body["detail"]).toBe("job not found");
  });

  it("puts a job first and cancels one", async () => {
    const path = `/v1/admin/jobs/${submitted[0]}`;
    const first = await call("admin", `${path}/prioritize`, { method: "POST", body: { reason: "urgent" } });
    expect(first).toMatchObject({ status: 200, body: { priority: 3 } });
    expect((await call("client", `/v1/jobs/${submitted[0]}`)).body["queue"]).toMatchObject({ position: 1 });
    expect((await call("admin", path, { method: "DELETE" })).body["state"]).toBe("CANCELED");
    const late = await call("admin", `${path}/prioritize`, { method: "POST", body: { reason: "urgent" } });
    expect(late.status).toBe(409);
  });

  it("shows miners, keeps one from jobs, and lets it go on", async () => {
    for (const id of submitted) await call("client", `/v1/jobs/${id}`, { method: "DELETE" });
    await ScriptedMiner.join(daemon);
    const { body } = await call("admin", "/v1/admin/miners");
    const [shown] = body.items;
    expect(shown).toMatchObject({
      status: "ONLINE",
      inflight: 0,
      jobs_completed: 0,
      jobs_failed: 0,
      last_receipt_id: null,
      average_job_duration_ms: 0,
      active: true,
    });
    for (const name of ["miner_id", "concurrency", "region", "last_heartbeat"]) {
      expect(shown).toHaveProperty(name);
    }
    const path = `/v1/admin/miners/${shown?.["miner_id"]}`;
    const off = await call("admin", `${path}/deactivate`, { method: "POST" });
    expect(off.body).toMatchObject({ active: false, status: "QUARANTINED" });
    expect((await call("admin", `${path}/activate`, { method: "POST" })).body).toMatchObject({
      active: true,
    });
    expect((await call("admin", path)).body).toMatchObject({ active: true, status: "ONLINE" });
    expect((await call("admin", "/v1/admin/miners/nobody")).status).toBe(404);
  });

  it("counts days", async () => {
    const { body } = await call("admin", "/v1/admin/analytics?days=3");
    expect(body.items).toHaveLength(3);
    expect(body.items.reduce((sum, day) => sum + Number(day["canceled"]), 0)).toBe(4);
    expect((await call("admin", "/v1/admin/analytics?days=0")).status).toBe(422);
  });

  it("cleans up, builds indexes anew, and makes a checked backup", async () => {
    const post = (what: string) => call("admin", `/v1/admin/maintenance/${what}`, { method: "POST" });
    expect((await post("cleanup")).body).toEqual({ status: "ok" });
    expect((await post("reindex")).body["tables"]).toContain("coordinator_job");
    const made = await post("backup");
    expect(made.status).toBe(200);
    expect(existsSync(String(made.body["file"]))).toBe(true);
    expect((await call("client", "/v1/admin/maintenance/backup", { method: "POST" })).status).toBe(403);
  });

  it("keeps up to 20 backups; the copies made before upgrades are not among them", async () => {
    const folder = join(daemon.dataDir, "backups");
    const kept = readdirSync(folder).length;
    const fill = (names: readonly string[]): void => {
      for (const name of names) writeFileSync(join(folder, name), "");
    };
    const numbers = Array.from({ length: 20 }, (_, n) => String(n + 10));
    fill(numbers.map((n) => `before-coordinator-0001-jobs-20260101T0000${n}Z.db`));
    const backup = () => call("admin", "/v1/admin/maintenance/backup", { method: "POST" });
    expect((await backup()).status).toBe(200);
    fill(numbers.slice(kept + 1).map((n) => `aitbc-${n}.db`));
    expect(await backup()).toMatchObject({ status: 429, body: { code: "LIMIT_EXCEEDED" } });
  });

  it("shows the latest log records", async () => {
    expect((await call("admin", "/v1/admin/logs?level=INFO&limit=10")).body).toEqual({
      items: [],
      limit: 10,
    });
  });
});

describe("a miner's totals", () => {
  it("are written with each settlement and outlive the process", async () => {
    const first = await TestDaemon.start();
    onTestFinished(() => first[Symbol.asyncDispose]());
    const worker = await ScriptedMiner.join(first);
    const job = (prompt: string) => first.client.submitJob({ payload: { type: "inference", prompt } });
    const { job_id } = await job("one");
    const good = await worker.take();
    await good.deliver("an answer");
    good.complete();
    await first.client.waitForJob(job_id);
    const bad = await job("two");
    (await worker.take()).fail("ENGINE_FAILED", false);
    await first.client.waitForJob(bad.job_id);
    const receipt = await first.client.getReceipt(job_id);
    await first.restart();
    const headers = { "x-api-key": first.keys.admin };
    const read = async (path: string) => (await fetch(`${first.url}${path}`, { headers })).json();
    expect(await read(`/v1/admin/miners/${worker.minerId}`)).toMatchObject({
      status: "OFFLINE",
      jobs_completed: 1,
      jobs_failed: 1,
      last_receipt_id: receipt["receipt_id"],
      units: receipt["units"],
      earned_uait: String(receipt["price"]),
    });
    expect(await read("/v1/admin/stats")).toMatchObject({
      total_jobs: 2,
      active_jobs: 0,
      completed_jobs: 1,
      failed_jobs: 1,
      units: receipt["units"],
    });
  });
});
