import type { Clock } from "../../../kernel/clock.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { Ids } from "../../../kernel/ids.ts";
import type { Metrics } from "../../../kernel/metrics.ts";
import type { Principal } from "../../../wire/access.ts";
import {
  type ArtifactPage,
  type ArtifactResult,
  type ArtifactView,
  digestOf,
  toReference,
} from "../../../wire/artifacts.ts";
import { formatTime } from "../../../wire/scalars.ts";
import type { ArtifactsConfig } from "../config.ts";
import type { Leases } from "../leases.ts";
import type { Store } from "../ports.ts";
import type { Answer } from "../store/answers.ts";
import {
  addArtifact,
  deleteArtifactRows,
  deleteExpired,
  findArtifact,
  findArtifactResult,
  findOutputResult,
  isResult,
  keepArtifact,
  listArtifacts,
  listExpired,
  listOfOwner,
  sumOfAll,
  sumOfOwner,
} from "../store/artifacts.ts";
import { listMinersOfKey } from "../store/miners.ts";
import type { ArtifactTable, JobTable } from "../tables.ts";
import { Admission, checkSize } from "./admission.ts";
import { ArtifactFiles, type ByteRange, type Upload } from "./files.ts";
import { ArtifactMetrics } from "./metrics.ts";
import { nameOutput, readOutput } from "./outputs.ts";

const MS_PER_HOUR = 3_600_000;
/** Rows that housekeeping handles at once; the rest waits, so that it never holds uploads up for long. */
const TIDY_BATCH = 500;

interface ArtifactsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly artifactsDirectory: string;
  readonly leases: Leases;
  readonly metrics: Metrics;
}

/** What is said of an upload before it comes. */
export interface Announced {
  readonly mediaType: string;
  readonly sizeBytes: number | undefined;
  readonly sha256: string | undefined;
}

/** Content that can be read. */
export interface Content extends Pick<ArtifactTable, "sha256" | "size_bytes" | "media_type"> {
  /** The bytes, read as they are taken. */
  read(range: ByteRange): ReadableStream<Uint8Array>;
}

/**
 * Content that clients and miners upload, under its SHA-256. The file is there before its row, and goes after
 * it: a crash in between leaves a file that nobody names, which the next start removes.
 */
export class Artifacts {
  readonly #deps: ArtifactsDeps;
  readonly #config: ArtifactsConfig;
  readonly #files: ArtifactFiles;
  readonly #admission: Admission;
  readonly #metrics: ArtifactMetrics;
  /** Ends when the last change of files and rows has. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(deps: ArtifactsDeps, config: ArtifactsConfig) {
    this.#deps = deps;
    this.#config = config;
    this.#files = new ArtifactFiles(deps.artifactsDirectory);
    this.#admission = new Admission(config);
    this.#metrics = new ArtifactMetrics(deps.metrics);
  }

  /** Removes what an earlier process left half done: unfinished uploads, files and rows without the other. */
  async start(): Promise<void> {
    await this.#files.open();
    for (const shard of await this.#files.listShards()) {
      for (const name of await this.#files.listShard(shard)) {
        if (!(await findArtifact(this.#deps.store.db, name))) await this.#files.remove(name);
      }
    }
    for (let after = ""; ; ) {
      const page = await listArtifacts(this.#deps.store.db, after, TIDY_BATCH);
      for (const sha256 of page) {
        if (await this.#files.has(sha256)) continue;
        await this.#deps.store.operation(deleteArtifactRows, sha256);
      }
      const last = page.at(-1);
      if (last === undefined) break;
      after = last;
    }
    await this.#measure();
  }

  /**
   * Stores a body for an owner. It is on disk when this resolves.
   * @throws AppError INVALID_PAYLOAD (empty, or another digest than announced), PAYLOAD_TOO_LARGE,
   * LIMIT_EXCEEDED, INVALID_ARGUMENT (broke off), STORAGE_UNAVAILABLE
   */
  async put(
    { owner_id }: Principal,
    announced: Announced,
    openBody: () => ReadableStream<Uint8Array> | null,
  ): Promise<ArtifactView> {
    try {
      const view = await this.#receive(owner_id, announced, openBody);
      this.#metrics.uploaded(view.size_bytes);
      return view;
    } catch (error) {
      this.#metrics.rejected(error);
      throw error;
    }
  }

  async #receive(
    owner_id: string,
    announced: Announced,
    openBody: () => ReadableStream<Uint8Array> | null,
  ): Promise<ArtifactView> {
    const { store, ids } = this.#deps;
    checkSize(this.#config, announced.sizeBytes ?? 0);
    const stored = { ofOwner: await sumOfOwner(store.db, owner_id), ofAll: await sumOfAll(store.db) };
    const body = openBody();
    if (!body) throw emptyBody();
    const parts = this.#admission.admit(owner_id, stored, body);
    const upload = await this.#files.receive(ids.next(), parts);
    try {
      checkUpload(upload, announced);
      return await this.#exclusive(() => this.#keep(owner_id, announced.mediaType, upload));
    } finally {
      await this.#files.discard(upload);
    }
  }

  /** The artifact, if it exists and the caller may read it. @throws AppError ARTIFACT_NOT_FOUND */
  async get(caller: Principal, reference: string): Promise<Content> {
    const sha256 = digestOf(reference);
    if (sha256 === undefined) throw notFound();
    const row = await this.#findReadable(caller, sha256);
    if (row && (await this.#files.has(sha256))) {
      return { ...row, read: (range) => this.#counted(range, this.#files.read(sha256, range)) };
    }
    const { store } = this.#deps;
    const owner = caller.kind === "admin" ? undefined : caller.owner_id;
    const output = await findOutputResult(store.db, sha256, owner);
    if (!output) throw notFound();
    return { ...output, read: (range) => this.#counted(range, readOutput(store, output.job_id, range)) };
  }

  #counted({ start, end }: ByteRange, stream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    this.#metrics.downloaded(end - start);
    return stream;
  }

  /** The whole artifact, if the caller may read it. @throws AppError ARTIFACT_NOT_FOUND */
  async open(caller: Principal, reference: string): Promise<ReadableStream<Uint8Array>> {
    const content = await this.get(caller, reference);
    return content.read({ start: 0, end: content.size_bytes });
  }

  /** A page of the caller's artifacts after a name. */
  async list({ owner_id }: Principal, after: string, limit: number): Promise<ArtifactPage> {
    const { store, clock } = this.#deps;
    const rows = await listOfOwner(store.db, { owner_id, after, now: clock.now() }, limit + 1);
    const page = rows.slice(0, limit);
    return {
      items: page.map(toView),
      next_cursor: rows.length > limit ? (page.at(-1)?.sha256 ?? null) : null,
      stored_bytes: await sumOfOwner(store.db, owner_id),
      quota_bytes: this.#config.owner_quota_bytes,
    };
  }

  /** @throws AppError ARTIFACT_NOT_FOUND, CONFLICT_STATE while it is a job's result */
  async delete(caller: Principal, reference: string): Promise<ArtifactView> {
    const { store } = this.#deps;
    const owner = caller.kind === "admin" ? undefined : caller.owner_id;
    const sha256 = digestOf(reference);
    const row = sha256 === undefined ? undefined : await findArtifact(store.db, sha256, owner);
    if (!row) throw notFound();
    if (owner !== undefined && (await isResult(store.db, row.sha256))) {
      throw new AppError("CONFLICT_STATE", "the artifact is the result of a job; it goes when it expires");
    }
    await this.#exclusive(async () => {
      await store.operation(deleteArtifactRows, row.sha256, owner);
      await this.#dropped(row.sha256);
    });
    return toView(row);
  }

  /**
   * Takes an artifact of the caller as a result, and keeps it from now on as long as a new one.
   * @throws AppError INVALID_PAYLOAD when it is not the caller's
   */
  async takeAsResult({ owner_id }: Principal, reference: string): Promise<NonNullable<Answer["artifact"]>> {
    const { store, clock } = this.#deps;
    const sha256 = digestOf(reference);
    const row = sha256 === undefined ? undefined : await findArtifact(store.db, sha256, owner_id);
    if (sha256 !== undefined && row && row.expires_at > clock.now()) {
      const expires_at = this.#expiry();
      const kept = await store.operation(keepArtifact, { sha256, owner_id, expires_at });
      if (kept) return { sha256, size_bytes: row.size_bytes, media_type: row.media_type };
    }
    throw new AppError(
      "INVALID_PAYLOAD",
      "/result/artifact: is no artifact of yours; upload it with PUT /v1/artifacts first",
      { meta: { pointer: "/result/artifact" } },
    );
  }

  /** Keeps an artifact of the caller as long as a new one: until when (Unix ms). @throws AppError ARTIFACT_NOT_FOUND */
  async keep({ owner_id }: Principal, reference: string): Promise<number> {
    const sha256 = digestOf(reference);
    const expires_at = this.#expiry();
    const kept =
      sha256 !== undefined &&
      (await this.#deps.store.operation(keepArtifact, { sha256, owner_id, expires_at }));
    if (!kept) throw notFound();
    return expires_at;
  }

  /** The artifact that is a job's result. */
  async resultOf(jobId: string): Promise<ArtifactResult | undefined> {
    const { store, clock } = this.#deps;
    const result = await findArtifactResult(store.db, jobId);
    if (!result) return undefined;
    const { sha256, size_bytes, media_type } = result;
    const row = await findArtifact(store.db, sha256);
    const isKept = row !== undefined && row.expires_at > clock.now();
    const expires_at = isKept ? formatTime(row.expires_at) : null;
    return { artifact: toReference(sha256), size_bytes, media_type, expires_at };
  }

  /** A job's output as an artifact. It is kept as long as its job. */
  async nameOutput(job: JobTable): Promise<ArtifactResult> {
    const { sha256, size_bytes, media_type } = await nameOutput(this.#deps.store, job);
    return { artifact: toReference(sha256), size_bytes, media_type, expires_at: formatTime(this.#expiry()) };
  }

  /** Removes what has expired. */
  async tidy(): Promise<void> {
    const { store, clock } = this.#deps;
    const now = clock.now();
    for (const sha256 of await listExpired(store.db, now, TIDY_BATCH)) {
      await this.#exclusive(async () => {
        await store.operation(deleteExpired, sha256, now);
        await this.#dropped(sha256);
      });
      this.#metrics.expired.inc();
    }
    await this.#measure();
  }

  async #keep(ownerId: string, mediaType: string, upload: Upload): Promise<ArtifactView> {
    const { store, clock } = this.#deps;
    const { owner_quota_bytes, total_quota_bytes } = this.#config;
    const { sha256, sizeBytes } = upload;
    const row: ArtifactTable = {
      sha256,
      owner_id: ownerId,
      size_bytes: sizeBytes,
      media_type: mediaType,
      created_at: clock.now(),
      expires_at: this.#expiry(),
    };
    await this.#files.keep(upload);
    try {
      await store.operation(addArtifact, row, { owner_quota_bytes, total_quota_bytes });
    } catch (error) {
      // Where the outcome is unknown the process ends, and the next start compares files and rows.
      if (error instanceof AppError && error.code === "LIMIT_EXCEEDED") await this.#removeUnnamed(sha256);
      throw error;
    }
    await this.#measure();
    return toView(row);
  }

  /** Rows of content were deleted: its file goes where no row names it any more. */
  async #dropped(sha256: string): Promise<void> {
    await this.#removeUnnamed(sha256);
    await this.#measure();
  }

  async #measure(): Promise<void> {
    this.#metrics.stored.set(await sumOfAll(this.#deps.store.db));
  }

  async #removeUnnamed(sha256: string): Promise<void> {
    if (!(await findArtifact(this.#deps.store.db, sha256))) await this.#files.remove(sha256);
  }

  async #findReadable(caller: Principal, sha256: string): Promise<ArtifactTable | undefined> {
    const { db } = this.#deps.store;
    const now = this.#deps.clock.now();
    const own = await findArtifact(db, sha256, caller.kind === "admin" ? undefined : caller.owner_id);
    if (own && own.expires_at > now) return own;
    const row = await findArtifact(db, sha256);
    if (!row || row.expires_at <= now) return undefined;
    if (caller.kind === "client") return (await isResult(db, sha256, caller.owner_id)) ? row : undefined;
    return caller.kind === "miner" ? this.#findForMiner(caller, sha256) : undefined;
  }

  /** What a running job of this miner names in its payload, if it is its client's. */
  async #findForMiner({ key_id }: Principal, sha256: string): Promise<ArtifactTable | undefined> {
    const { store, leases, clock } = this.#deps;
    const miners = new Set(await listMinersOfKey(store.db, key_id));
    for (const { minerId, job } of leases.values()) {
      if (!miners.has(minerId) || !job.payload.includes(sha256)) continue;
      const row = await findArtifact(store.db, sha256, job.client_id);
      if (row && row.expires_at > clock.now()) return row;
    }
    return undefined;
  }

  #expiry(): number {
    return this.#deps.clock.now() + this.#config.keep_hours * MS_PER_HOUR;
  }

  /** Files and rows change one after the other, so that nobody removes a file that another one is naming. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#changing.then(work);
    this.#changing = running.catch(() => {});
    return running;
  }
}

function checkUpload({ sha256, sizeBytes }: Upload, announced: Announced): void {
  if (announced.sizeBytes !== undefined && announced.sizeBytes !== sizeBytes) {
    throw new AppError("INVALID_ARGUMENT", "the upload broke off");
  }
  if (sizeBytes === 0) throw emptyBody();
  if (announced.sha256 !== undefined && announced.sha256 !== sha256) {
    throw new AppError("INVALID_PAYLOAD", `the content is sha256:${sha256}, not what X-Content-SHA256 says`);
  }
}

const toView = ({ sha256, size_bytes, media_type, expires_at }: ArtifactTable): ArtifactView => ({
  artifact: toReference(sha256),
  size_bytes,
  media_type,
  expires_at: formatTime(expires_at),
});

function emptyBody(): AppError {
  return new AppError("INVALID_PAYLOAD", "the body is empty; send the artifact's content");
}

function notFound(): AppError {
  return new AppError(
    "ARTIFACT_NOT_FOUND",
    "there is no artifact with this name for you: it expired, was deleted, or never came",
  );
}
