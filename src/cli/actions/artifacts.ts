import { resolve } from "node:path";
import type { ArtifactCalls, TransferOptions } from "../../client/artifacts.ts";
import { AppError } from "../../kernel/errors.ts";
import { type ArtifactView, digestOf } from "../../wire/artifacts.ts";
import { MAX_PAGE } from "../../wire/limits.ts";
import { formatRecord, formatTable, printResult } from "../format.ts";
import { type Io, writeLine } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { createProgress } from "../progress.ts";
import { openClient } from "../session.ts";
import { formatBytes } from "./doctor/units.ts";

export interface PutOptions extends GlobalOptions {
  readonly type: string;
}
export interface GetOptions extends GlobalOptions {
  readonly file?: string;
}

const PERCENT = 100;

/** Shows how far a transfer is, and lets Ctrl-C end it. */
async function transfer<T>(io: Io, verb: string, work: (options: TransferOptions) => Promise<T>): Promise<T> {
  const progress = createProgress(io);
  const abort = new AbortController();
  const stops = [io.onSignal("SIGINT", () => abort.abort()), io.onSignal("SIGTERM", () => abort.abort())];
  progress.show(verb);
  try {
    return await work({
      signal: abort.signal,
      onProgress: (bytes, total) => progress.show(`${verb} ${formatShare(bytes, total)}`),
    });
  } finally {
    progress.clear();
    for (const stop of stops) stop();
  }
}

function formatShare(bytes: number, total: number | undefined): string {
  if (!total) return formatBytes(bytes);
  return `${formatBytes(bytes)} of ${formatBytes(total)} · ${Math.floor((bytes / total) * PERCENT)} %`;
}

const openArtifacts = async (io: Io, options: GlobalOptions): Promise<ArtifactCalls> =>
  (await openClient(io, options, "client")).artifacts;

function formatArtifact(view: ArtifactView): string {
  return formatRecord([
    ["artifact", view.artifact],
    ["size", formatBytes(view.size_bytes)],
    ["type", view.media_type],
    ["kept until", view.expires_at],
  ]);
}

/** Uploads a file and prints the artifact's name. */
export async function putArtifact(io: Io, options: PutOptions, file: string): Promise<void> {
  const artifacts = await openArtifacts(io, options);
  const view = await transfer(io, "uploading", (how) =>
    artifacts.put(resolve(io.cwd, file), options.type, how).catch(withQuotaHint),
  );
  await printResult(io, options.output ?? "table", view, () => view.artifact);
  writeLine(io.stderr, `${formatBytes(view.size_bytes)}, kept until ${view.expires_at}`);
}

function withQuotaHint(error: unknown): never {
  if (!(error instanceof AppError) || error.code !== "LIMIT_EXCEEDED") throw error;
  const hint = "aitbc client artifact list shows what you keep, and delete gives it up";
  throw new AppError(error.code, error.message, { meta: { ...error.meta, hint }, cause: error });
}

/** Downloads an artifact into a file, by default one of its name here. */
export async function getArtifact(io: Io, options: GetOptions, reference: string): Promise<void> {
  const artifacts = await openArtifacts(io, options);
  const file = resolve(io.cwd, options.file ?? digestOf(reference) ?? reference);
  const got = await transfer(io, "downloading", (how) => artifacts.get(reference, file, how));
  await printResult(io, options.output ?? "table", got, () => got.file);
  writeLine(io.stderr, `${formatBytes(got.size_bytes)}, SHA-256 as named`);
}

/** Prints all artifacts of the caller. */
export async function listArtifacts(io: Io, options: GlobalOptions): Promise<void> {
  const artifacts = await openArtifacts(io, options);
  const first = await artifacts.list({ limit: MAX_PAGE });
  const items = [...first.items];
  for (let cursor = first.next_cursor; cursor !== null; ) {
    const page = await artifacts.list({ limit: MAX_PAGE, cursor });
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  await printResult(io, options.output ?? "table", items, () =>
    formatTable(
      ["artifact", "size", "type", "kept until"],
      items.map(({ artifact, size_bytes, media_type, expires_at }) => [
        artifact,
        formatBytes(size_bytes),
        media_type,
        expires_at,
      ]),
    ),
  );
  writeLine(io.stderr, `${formatBytes(first.stored_bytes)} of ${formatBytes(first.quota_bytes)} used`);
}

export async function deleteArtifact(io: Io, options: GlobalOptions, reference: string): Promise<void> {
  const view = await (await openArtifacts(io, options)).delete(reference);
  await printResult(io, options.output ?? "table", view, () => formatArtifact(view));
}
