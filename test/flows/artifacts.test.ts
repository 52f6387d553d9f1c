import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MAX_BODY_BYTES } from "../../src/wire/limits.ts";
import { TestClock } from "../harness/clock.ts";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { job } from "../harness/jobs.ts";
import { PlainCaller } from "../harness/plain-caller.ts";
import { TEST_MODEL } from "../harness/scripted-miner.ts";

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const CONTENT = Buffer.from("what a miner drew");
const digest = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");
const SHA256 = digest(CONTENT);

interface Sent {
  readonly key?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const put = (
  daemon: TestDaemon,
  content: Uint8Array | ReadableStream<Uint8Array>,
  { key = daemon.keys.client, method = "PUT", headers = {} }: Sent = {},
): Promise<Response> =>
  fetch(`${daemon.url}/v1/artifacts`, {
    method,
    headers: { "x-api-key": key, ...headers },
    body: content as Uint8Array<ArrayBuffer>,
    duplex: "half",
  });

const get = (
  daemon: TestDaemon,
  name: string,
  { key = daemon.keys.client, method = "GET", headers = {} }: Sent = {},
): Promise<Response> =>
  fetch(`${daemon.url}/v1/artifacts/${name}`, { method, headers: { "x-api-key": key, ...headers } });

const rows = (daemon: TestDaemon): number => daemon.rowCounts()["coordinator_artifact"] ?? -1;

const directoryOf = (daemon: TestDaemon): string => join(daemon.dataDir, "artifacts");
const fileOf = (daemon: TestDaemon, sha256: string): string =>
  join(directoryOf(daemon), sha256.slice(0, 2), sha256);

/** Every file below the directory, unfinished uploads included. */
function files(daemon: TestDaemon): string[] {
  return readdirSync(directoryOf(daemon), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

async function codeIn(response: Response): Promise<[number, unknown]> {
  return [response.status, ((await response.json()) as { code?: unknown }).code];
}

/** A body of this many MiB of zeros that is made as it is taken. */
function zeros(mib: number): ReadableStream<Uint8Array> {
  const part = new Uint8Array(MIB);
  let left = mib;
  return new ReadableStream(
    {
      pull(controller) {
        if (left-- > 0) controller.enqueue(part);
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Downloads without keeping anything; the digest of what came. */
async function digestOfBody(response: Response): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of response.body ?? []) hash.update(part);
  return hash.digest("hex");
}

describe("an upload", () => {
  it("is answered with its name, and comes back as it was", async () => {
    const daemon = await bootDaemon();
    for (const method of ["PUT", "POST"]) {
      const response = await put(daemon, CONTENT, { method, headers: { "content-type": "image/png" } });
      expect(response.status).toBe(201);
      expect(await response.json()).toEqual({
        artifact: `sha256:${SHA256}`,
        size_bytes: CONTENT.length,
        media_type: "image/png",
        expires_at: expect.stringMatching(/Z$/),
      });
    }
    expect(rows(daemon)).toBe(1);
    expect(statSync(fileOf(daemon, SHA256)).mode & 0o777).toBe(0o600);
    for (const name of [SHA256, `sha256:${SHA256}`]) {
      const back = await get(daemon, name);
      expect(back.headers.get("content-length")).toBe(String(CONTENT.length));
      expect(back.headers.get("content-type")).toBe("image/png");
      expect(back.headers.get("etag")).toBe(`"${SHA256}"`);
      expect(Buffer.from(await back.arrayBuffer())).toEqual(CONTENT);
    }
  });

  it("of another digest than announced leaves nothing", async () => {
    const daemon = await bootDaemon();
    const headers = { "x-content-sha256": "0".repeat(64) };
    expect(await codeIn(await put(daemon, CONTENT, { headers }))).toEqual([422, "INVALID_PAYLOAD"]);
    expect([rows(daemon), files(daemon)]).toEqual([0, []]);
    expect((await put(daemon, CONTENT, { headers: { "x-content-sha256": SHA256 } })).status).toBe(201);
  });

  it("that is empty is refused", async () => {
    const daemon = await bootDaemon();
    expect(await codeIn(await put(daemon, new Uint8Array(0)))).toEqual([422, "INVALID_PAYLOAD"]);
    expect([rows(daemon), files(daemon)]).toEqual([0, []]);
  });

  it.each(["declared", "chunked"])("of %s length that breaks off leaves nothing", async (how) => {
    const daemon = await bootDaemon();
    const call = request(`${daemon.url}/v1/artifacts`, {
      method: "PUT",
      agent: false,
      headers: { "x-api-key": daemon.keys.client, ...(how === "declared" && { "content-length": MIB }) },
    });
    call.on("error", () => {});
    call.write(CONTENT);
    await expect.poll(() => files(daemon)).toHaveLength(1);
    call.destroy();
    await expect.poll(() => files(daemon)).toEqual([]);
    expect(rows(daemon)).toBe(0);
  });

  it("beyond the largest size is refused, whether its length was declared or not", async () => {
    const daemon = await bootDaemon({ settings: { "coordinator.artifacts.max_bytes": String(MIB) } });
    for (const body of [new Uint8Array(MIB + 1), zeros(2)]) {
      expect(await codeIn(await put(daemon, body))).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    }
    expect([rows(daemon), files(daemon)]).toEqual([0, []]);
    expect((await put(daemon, zeros(1))).status).toBe(201);
  });

  it("beyond a quota is refused; the same content again costs nothing", async () => {
    const daemon = await bootDaemon({
      settings: {
        "coordinator.artifacts.owner_quota_bytes": String(2 * MIB),
        "coordinator.artifacts.total_quota_bytes": String(3 * MIB),
      },
    });
    const of = (fill: number, size = MIB): Uint8Array => new Uint8Array(size).fill(fill);
    expect((await put(daemon, of(1))).status).toBe(201);
    expect((await put(daemon, of(2), {})).status).toBe(201);
    expect(await codeIn(await put(daemon, of(3)))).toEqual([429, "LIMIT_EXCEEDED"]);
    const key = daemon.keys.miner;
    expect((await put(daemon, of(1), { key })).status).toBe(201);
    expect((await put(daemon, of(4), { key })).status).toBe(201);
    expect(await codeIn(await put(daemon, of(5, 1), { key }))).toEqual([429, "LIMIT_EXCEEDED"]);
    expect(files(daemon)).toHaveLength(3);
    expect((await get(daemon, digest(of(2)), { method: "DELETE" })).status).toBe(200);
    expect((await put(daemon, of(3))).status).toBe(201);
  });

  it("of 64 MiB, up and down, takes no memory of its size", async () => {
    const daemon = await bootDaemon();
    // Once through beforehand: buffers and compiled code of the path are there then.
    await digestOfBody(await get(daemon, digest(new Uint8Array(await mibOf(daemon, 8)))));
    const before = process.memoryUsage().rss;
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss);
    }, 5);
    try {
      const { artifact } = (await (await put(daemon, zeros(64))).json()) as { artifact: string };
      expect(`sha256:${await digestOfBody(await get(daemon, artifact))}`).toBe(artifact);
    } finally {
      clearInterval(watch);
    }
    expect(statSync(fileOf(daemon, digest(new Uint8Array(64 * MIB)))).size).toBe(64 * MIB);
    expect(most - before).toBeLessThan(64 * MIB);
  });
});

/** Uploads so many MiB of zeros; their size in bytes. */
async function mibOf(daemon: TestDaemon, mib: number): Promise<number> {
  expect((await put(daemon, zeros(mib))).status).toBe(201);
  return mib * MIB;
}

describe("a download", () => {
  it("can be a range, and be left out by a caller who has the content", async () => {
    const daemon = await bootDaemon();
    await put(daemon, CONTENT);
    for (const [range, text] of [
      ["bytes=0-3", "what"],
      ["bytes=7-", "miner drew"],
      ["bytes=-4", "drew"],
    ] as const) {
      const part = await get(daemon, SHA256, { headers: { range } });
      expect([part.status, await part.text()]).toEqual([206, text]);
    }
    const beyond = await get(daemon, SHA256, { headers: { range: "bytes=900-" } });
    expect(await codeIn(beyond)).toEqual([416, "RANGE_NOT_SATISFIABLE"]);
    const known = await get(daemon, SHA256, { headers: { "if-none-match": `"${SHA256}"` } });
    expect(known.status).toBe(304);
    const head = await get(daemon, SHA256, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, String(CONTENT.length)]);
  });

  it("is for the owner and administrators; for others there is no such artifact", async () => {
    const daemon = await bootDaemon();
    await put(daemon, CONTENT);
    const { key } = await daemon.admin.createKey({ kind: "client", name: "stranger" });
    for (const other of [key, daemon.keys.miner]) {
      for (const method of ["GET", "DELETE"]) {
        const answer = await get(daemon, SHA256, { key: other, method });
        expect(await codeIn(answer)).toEqual([404, "ARTIFACT_NOT_FOUND"]);
      }
    }
    expect((await get(daemon, SHA256, { key: daemon.keys.admin })).status).toBe(200);
    expect((await get(daemon, "..%2f..%2faitbc.db", { key: daemon.keys.admin })).status).toBe(404);
  });
});

describe("housekeeping", () => {
  it("removes what has expired, file and row", async () => {
    const clock = new TestClock();
    const daemon = await bootDaemon({ clock, settings: { "coordinator.artifacts.keep_hours": "1" } });
    await put(daemon, CONTENT);
    clock.advance(HOUR_MS / 2);
    expect((await get(daemon, SHA256)).status).toBe(200);
    clock.advance(HOUR_MS / 2);
    expect((await get(daemon, SHA256)).status).toBe(404);
    const admin = new PlainCaller(daemon.url, daemon.keys.admin);
    expect((await admin.post("/v1/admin/maintenance/cleanup", {})).status).toBe(200);
    expect([rows(daemon), files(daemon)]).toEqual([0, []]);
  });

  it("keeps the file while another owner keeps the content", async () => {
    const daemon = await bootDaemon();
    await put(daemon, CONTENT);
    await put(daemon, CONTENT, { key: daemon.keys.miner });
    expect((await get(daemon, SHA256, { method: "DELETE" })).status).toBe(200);
    expect((await get(daemon, SHA256)).status).toBe(404);
    expect((await get(daemon, SHA256, { key: daemon.keys.miner })).status).toBe(200);
    expect((await get(daemon, SHA256, { key: daemon.keys.miner, method: "DELETE" })).status).toBe(200);
    expect(files(daemon)).toEqual([]);
  });

  it("mends at the start what a crash left between file and row, or in the middle of an upload", async () => {
    const daemon = await bootDaemon();
    const kept = Buffer.from("kept");
    await put(daemon, kept);
    await put(daemon, CONTENT);
    await daemon.daemon.stop();
    const stray = "ab".repeat(32);
    mkdirSync(join(directoryOf(daemon), "ab"), { recursive: true });
    writeFileSync(fileOf(daemon, stray), "a file without a row");
    writeFileSync(join(directoryOf(daemon), "uploads", "half"), "half an upload");
    rmSync(fileOf(daemon, SHA256));
    const next = await daemon.restart();
    expect(files(next)).toEqual([digest(kept)]);
    expect(rows(next)).toBe(1);
    expect(await (await get(next, digest(kept))).text()).toBe("kept");
  });

  it("refuses an upload that the disk does not take, and goes on", async () => {
    const daemon = await bootDaemon();
    rmSync(join(directoryOf(daemon), "uploads"), { recursive: true });
    expect(await codeIn(await put(daemon, CONTENT))).toEqual([503, "STORAGE_UNAVAILABLE"]);
    mkdirSync(join(directoryOf(daemon), "uploads"));
    chmodSync(join(directoryOf(daemon), "uploads"), 0o700);
    expect((await put(daemon, CONTENT)).status).toBe(201);
    expect(existsSync(fileOf(daemon, SHA256))).toBe(true);
  });
});

describe("an artifact as a result", () => {
  async function bench(): Promise<{ daemon: TestDaemon; miner: PlainCaller }> {
    const daemon = await bootDaemon({ settings: { "coordinator.allow_keyless_miners": "true" } });
    const miner = PlainCaller.miner(daemon, "painter");
    const body = { capabilities: { models: [TEST_MODEL] }, concurrency: 1 };
    expect((await miner.post("/v1/miners/register", body)).status).toBe(200);
    return { daemon, miner };
  }

  async function take(daemon: TestDaemon, miner: PlainCaller, prompt: string): Promise<string> {
    const { job_id } = await daemon.client.submitJob(job(prompt));
    const { body } = await miner.post("/v1/miners/poll", { max_wait_seconds: 10 });
    expect(body["job_id"]).toBe(job_id);
    return job_id;
  }

  it("is what an answer that is too large inline is told to become", async () => {
    const { daemon, miner } = await bench();
    const jobId = await take(daemon, miner, "draw");
    for (const size of [MAX_BODY_BYTES - 100, MAX_BODY_BYTES + 1]) {
      const tooLarge = await miner.post(`/v1/miners/${jobId}/result`, { result: { data: "é".repeat(size) } });
      expect(tooLarge).toMatchObject({ status: 413, body: { code: "PAYLOAD_TOO_LARGE" } });
      expect(tooLarge.body["detail"]).toContain("PUT /v1/artifacts");
    }
    const large = Buffer.alloc(3 * MIB, "x");
    const { artifact } = (await (await put(daemon, large, { key: daemon.keys.miner })).json()) as {
      artifact: string;
    };
    // Until a result names it, the client has no part in it.
    expect((await get(daemon, artifact)).status).toBe(404);
    const done = await miner.post(`/v1/miners/${jobId}/result`, { result: { artifact } });
    expect(done.status).toBe(200);
    const { result } = await daemon.client.getResult(jobId);
    expect(result.original).toEqual({ artifact });
    expect(result.artifact).toEqual({
      artifact,
      size_bytes: large.length,
      media_type: "application/octet-stream",
      expires_at: expect.stringMatching(/Z$/),
    });
    expect(await digestOfBody(await get(daemon, artifact))).toBe(digest(large));
    const { key } = await daemon.admin.createKey({ kind: "client", name: "stranger" });
    expect((await get(daemon, artifact, { key })).status).toBe(404);
    const gone = await get(daemon, artifact, { key: daemon.keys.miner, method: "DELETE" });
    expect(await codeIn(gone)).toEqual([409, "CONFLICT_STATE"]);
    await get(daemon, artifact, { key: daemon.keys.admin, method: "DELETE" });
    expect((await daemon.client.getResult(jobId)).result.artifact).toMatchObject({ expires_at: null });
  });

  it("must be the miner's own", async () => {
    const { daemon, miner } = await bench();
    const jobId = await take(daemon, miner, "draw");
    await put(daemon, CONTENT);
    for (const artifact of [`sha256:${SHA256}`, `sha256:${"0".repeat(64)}`, "sha256:../../aitbc.db"]) {
      const answer = await miner.post(`/v1/miners/${jobId}/result`, { result: { artifact } });
      expect(answer).toMatchObject({
        status: 422,
        body: { code: "INVALID_PAYLOAD", pointer: "/result/artifact" },
      });
    }
    expect((await daemon.client.getJob(jobId)).state).toBe("RUNNING");
  });

  it("of a job's input is read by the miner that runs the job, while it runs", async () => {
    const { daemon, miner } = await bench();
    await put(daemon, CONTENT);
    const key = daemon.keys.miner;
    const read = async (): Promise<number> => (await get(daemon, SHA256, { key })).status;
    expect(await read()).toBe(404);
    const jobId = await take(daemon, miner, `describe sha256:${SHA256}`);
    expect(await read()).toBe(200);
    const other = await daemon.admin.createKey({ kind: "miner", name: "other" });
    expect((await get(daemon, SHA256, { key: other.key })).status).toBe(404);
    await miner.post(`/v1/miners/${jobId}/result`, { result: "a picture" });
    expect(await read()).toBe(404);
  });
});
