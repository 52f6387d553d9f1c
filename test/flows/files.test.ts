import { randomBytes } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { upload } from "../harness/batches.ts";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { openAiClient } from "../harness/openai.ts";

const BOUNDARY = "x-boundary";

/** A part of a form. */
const part = (name: string, value: string, filename?: string): string =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? "" : `; filename="${filename}"`}\r\n\r\n${value}\r\n`;
const END = `--${BOUNDARY}--\r\n`;

async function send(
  daemon: TestDaemon,
  body: string | ReadableStream<Uint8Array>,
  type = `multipart/form-data; boundary=${BOUNDARY}`,
): Promise<{ status: number; error: { message: string; code: string; param: string | null } }> {
  const response = await fetch(`${daemon.url}/v1/files`, {
    method: "POST",
    headers: { "x-api-key": daemon.keys.client, "content-type": type },
    body,
    ...(typeof body !== "string" && { duplex: "half" }),
  } as RequestInit);
  // The route's contract for errors.
  const { error } = (await response.json()) as {
    error: { message: string; code: string; param: string | null };
  };
  return { status: response.status, error };
}

/** Files of content that lie in the data directory. */
function stored(daemon: TestDaemon): string[] {
  const directory = join(daemon.dataDir, "artifacts");
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

/** Bytes of all content on disk. */
const written = (daemon: TestDaemon): number =>
  readdirSync(join(daemon.dataDir, "artifacts"), { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(daemon.dataDir, "artifacts", name), { throwIfNoEntry: false }))
    .reduce((sum, found) => sum + (found?.isFile() ? found.size : 0), 0);

describe("files", () => {
  it("go up and come down byte for byte, are listed both ways, and go with their content", async () => {
    const daemon = await bootDaemon();
    const openai = openAiClient(daemon);
    const bytes = Uint8Array.from(randomBytes(3 * 1024 * 1024));
    const first = await upload(openai, bytes, "user_data");
    expect(first).toMatchObject({ bytes: bytes.length, purpose: "user_data", filename: "input.jsonl" });
    const content = await (await openai.files.content(first.id)).arrayBuffer();
    expect(Buffer.from(content).equals(bytes)).toBe(true);
    const second = await upload(openai, "{}\n");
    const same = await upload(openai, bytes, "user_data");
    const ids: string[] = [];
    for await (const { id } of openai.files.list({ limit: 1 })) ids.push(id);
    expect(ids).toEqual([same.id, second.id, first.id]);
    const oldest = await openai.files.list({ order: "asc", purpose: "user_data" });
    expect(oldest.data.map(({ id }) => id)).toEqual([first.id, same.id]);
    expect(stored(daemon)).toHaveLength(2);
    expect(await openai.files.delete(first.id)).toEqual({ id: first.id, object: "file", deleted: true });
    // Another file has the same content.
    expect((await (await openai.files.content(same.id)).arrayBuffer()).byteLength).toBe(bytes.length);
    await openai.files.delete(same.id);
    expect(stored(daemon)).toHaveLength(1);
    await expect(openai.files.retrieve(first.id)).rejects.toThrow(OpenAI.NotFoundError);
  });

  it("of others do not exist", async () => {
    const daemon = await bootDaemon();
    const { id } = await upload(openAiClient(daemon), "{}\n");
    const { key } = await daemon.admin.createKey({ kind: "client", name: "other" });
    const other = openAiClient(daemon, { apiKey: key });
    const request = { input_file_id: id, endpoint: "/v1/embeddings", completion_window: "24h" } as const;
    const batch = await openAiClient(daemon).batches.create(request);
    const attempts = [
      () => other.files.retrieve(id),
      () => other.files.content(id),
      () => other.files.delete(id),
      () => other.batches.create(request),
      () => other.batches.retrieve(batch.id),
      () => other.batches.cancel(batch.id),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toThrow(OpenAI.NotFoundError);
    expect((await other.files.list()).data).toEqual([]);
    expect((await other.batches.list()).data).toEqual([]);
  });

  it("that are wrong get a clear error and leave nothing", async () => {
    const daemon = await bootDaemon();
    const purpose = part("purpose", "batch");
    const file = part("file", "{}\n", "a.jsonl");
    const cases: [string, string, string?][] = [
      [purpose + file + END, "unsupported_media_type", "application/json"],
      [purpose + file + END, "invalid_argument", "multipart/form-data"],
      ["no form at all", "invalid_argument"],
      [purpose + file, "invalid_argument"],
      [purpose + END, "missing_required_parameter"],
      [file + END, "missing_required_parameter"],
      [part("purpose", "fine-tune") + file + END, "invalid_value"],
      [file + part("purpose", "fine-tune") + END, "invalid_value"],
      [purpose + purpose + file + END, "invalid_value"],
      [purpose + file + file + END, "invalid_value"],
      [purpose + part("other", "x", "b.txt") + END, "invalid_value"],
      [purpose + file + part("expires_after[anchor]", "created_at") + END, "invalid_value"],
      [purpose + part("file", "x", "n".repeat(300)) + END, "invalid_value"],
      [part("purpose", "b".repeat(5000)) + file + END, "invalid_value"],
      [purpose + part("file", "", "empty") + END, "invalid_payload"],
    ];
    for (const [body, code, type] of cases) {
      const { error, status } = await send(daemon, body, type);
      expect([body.slice(0, 200), error.code]).toEqual([body.slice(0, 200), code]);
      expect(status).toBeLessThan(500);
    }
    expect(stored(daemon)).toEqual([]);
    expect(daemon.rowCounts()["gateway_file"]).toBe(0);
    expect(daemon.rowCounts()["coordinator_artifact"]).toBe(0);
  });

  it("may come before what they are for", async () => {
    const daemon = await bootDaemon();
    async function* form(): AsyncGenerator<Uint8Array> {
      const purpose = part("purpose", "batch");
      yield Buffer.from(part("file", "{}\n", "first.jsonl") + purpose.slice(0, -8));
      while (written(daemon) < 3) await setImmediate();
      // The file has ended, and what it is for is still on its way.
      for (let turn = 0; turn < 50; turn++) await setImmediate();
      yield Buffer.from(purpose.slice(-8) + END);
    }
    expect((await send(daemon, ReadableStream.from(form()))).status).toBe(200);
    expect(daemon.query("select purpose, filename from gateway_file")).toEqual([
      { purpose: "batch", filename: "first.jsonl" },
    ]);
  });

  it("count against the quota of their owner, and are cut off at its end", async () => {
    const daemon = await bootDaemon({ settings: { "coordinator.artifacts.owner_quota_bytes": "100000" } });
    const openai = openAiClient(daemon);
    const kept = await upload(openai, "x".repeat(60_000), "user_data");
    await expect(upload(openai, "y".repeat(60_000), "user_data")).rejects.toThrow(OpenAI.RateLimitError);
    expect(stored(daemon)).toHaveLength(1);
    await openai.files.delete(kept.id);
    await upload(openai, "y".repeat(60_000), "user_data");
  });

  it("are written as they come: of 64 MiB only a few are on their way at a time", async () => {
    const daemon = await bootDaemon();
    const size = 64 * 1024 * 1024;
    const piece = Buffer.alloc(1024 * 1024, "z");
    let most = 0;
    async function* form(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`${part("purpose", "user_data")}${part("file", "", "big").slice(0, -2)}`);
      for (let sent = 0; sent < size; sent += piece.length) {
        most = Math.max(most, sent - written(daemon));
        yield piece;
      }
      yield Buffer.from(`\r\n${END}`);
    }
    expect((await send(daemon, ReadableStream.from(form()))).status).toBe(200);
    expect(daemon.query("select size_bytes from gateway_file")).toEqual([{ size_bytes: size }]);
    expect(written(daemon)).toBe(size);
    // What both ends of the connection and the parser keep.
    expect(most).toBeLessThan(size / 4);
  });

  it("whose sender goes away leave nothing", async () => {
    const daemon = await bootDaemon();
    const abort = new AbortController();
    const head = Buffer.from(`${part("purpose", "user_data")}${part("file", "some", "big")}`);
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(head) });
    const sent = fetch(`${daemon.url}/v1/files`, {
      method: "POST",
      headers: {
        "x-api-key": daemon.keys.client,
        "content-type": `multipart/form-data; boundary=${BOUNDARY}`,
      },
      body,
      duplex: "half",
      signal: abort.signal,
    } as RequestInit);
    while (stored(daemon).length === 0) await setImmediate();
    abort.abort();
    await expect(sent).rejects.toThrow();
    while (stored(daemon).length > 0) await setImmediate();
    expect(daemon.rowCounts()["gateway_file"]).toBe(0);
  });

  it("are taken for a batch once for one key, and only those that were uploaded for one", async () => {
    const daemon = await bootDaemon();
    const openai = openAiClient(daemon);
    const data = await upload(openai, "{}\n", "user_data");
    const request = { endpoint: "/v1/embeddings", completion_window: "24h" } as const;
    await expect(openai.batches.create({ ...request, input_file_id: data.id })).rejects.toMatchObject({
      status: 400,
      param: "input_file_id",
    });
    const twice = { headers: { "idempotency-key": "one" } };
    const input = await upload(openai, "{}\n");
    const first = await openai.batches.create({ ...request, input_file_id: input.id }, twice);
    const again = await openai.batches.create({ ...request, input_file_id: input.id }, twice);
    expect(again.id).toBe(first.id);
    await expect(
      openai.batches.create({ ...request, input_file_id: input.id, metadata: { a: "b" } }, twice),
    ).rejects.toMatchObject({ status: 400, code: "idempotency_mismatch" });
  });
});
