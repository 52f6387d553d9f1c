import type { Clock } from "../../../kernel/clock.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { Ids } from "../../../kernel/ids.ts";
import type { Principal } from "../../../wire/access.ts";
import { toReference } from "../../../wire/artifacts.ts";
import {
  type FilePage,
  type FilePurpose,
  MAX_FILE_NAME,
  type OpenAiFile,
  UPLOAD_PURPOSES,
} from "../../../wire/openai/files.ts";
import { toUnixSeconds } from "../openai/shape.ts";
import type { BatchPort, Store, StoredContent } from "../ports.ts";
import type { FileTable } from "../tables.ts";
import { invalid, missing, openForm } from "./form.ts";
import {
  countFiles,
  deleteExpiredFiles,
  deleteFileRow,
  extendFile,
  findFile,
  insertFile,
  listFileRows,
} from "./store.ts";

/** Files that one owner may have: their bytes are bounded by the quota of artifacts, their rows by this. */
const MAX_FILES = 10_000;
/** Files that are forgotten at once when they have expired; the rest waits for the next time. */
const TIDY_BATCH = 500;
const MEDIA_TYPES = {
  batch: "application/jsonl",
  batch_output: "application/jsonl",
  user_data: "application/octet-stream",
};

interface FilesDeps {
  readonly coordinator: Pick<BatchPort, "content">;
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Files as OpenAI's API has them: names for content that the coordinator keeps. */
export class Files {
  readonly #deps: FilesDeps;

  constructor(deps: FilesDeps) {
    this.#deps = deps;
  }

  /**
   * Stores the file of a form. It is on disk when this resolves.
   * @throws AppError INVALID_PAYLOAD, INVALID_ARGUMENT, PAYLOAD_TOO_LARGE, LIMIT_EXCEEDED; then nothing is kept
   */
  async upload(
    caller: Principal,
    contentType: string,
    body: ReadableStream<Uint8Array> | null,
  ): Promise<OpenAiFile> {
    const { store, coordinator } = this.#deps;
    if (!body) throw missing("file");
    if ((await countFiles(store.db, caller.owner_id)) >= MAX_FILES) {
      throw new AppError("LIMIT_EXCEEDED", `you have ${MAX_FILES} files already; delete some first`);
    }
    const form = await openForm(contentType, body);
    let purpose: FilePurpose = "user_data";
    const bytes = form.bytes((fields) => {
      purpose = readPurpose(fields);
    });
    const put = coordinator.content.put(caller, MEDIA_TYPES.user_data, () => bytes);
    const { sha256, sizeBytes, expiresAt } = await put.catch((error: unknown) => {
      // What broke the form off says more than that it broke off.
      throw form.failure ?? error;
    });
    const file = this.create(caller.owner_id, {
      sha256,
      size_bytes: sizeBytes,
      filename: form.filename === "" ? "upload" : form.filename,
      purpose,
      expires_at: expiresAt,
    });
    await store.operation(insertFile, file);
    return toOpenAiFile(file);
  }

  /** The row of a new file. */
  create(
    owner_id: string,
    file: Pick<FileTable, "sha256" | "size_bytes" | "filename" | "purpose" | "expires_at">,
  ): FileTable {
    const { ids, clock } = this.#deps;
    return {
      ...file,
      file_id: `file-${ids.next()}`,
      owner_id,
      filename: file.filename.slice(0, MAX_FILE_NAME),
      created_at: clock.now(),
    };
  }

  /** @throws AppError FILE_NOT_FOUND, also for somebody else's */
  async find(caller: Principal, fileId: string): Promise<FileTable> {
    const owner = caller.kind === "admin" ? undefined : caller.owner_id;
    const file = await findFile(this.#deps.store.db, fileId, this.#deps.clock.now(), owner);
    if (!file) throw notFound(fileId);
    return file;
  }

  async get(caller: Principal, fileId: string): Promise<OpenAiFile> {
    return toOpenAiFile(await this.find(caller, fileId));
  }

  /** @throws AppError FILE_NOT_FOUND, also where its content was given up as an artifact */
  async open(caller: Principal, fileId: string): Promise<{ file: FileTable; content: StoredContent }> {
    const file = await this.find(caller, fileId);
    return { file, content: await this.openContent(caller, file.file_id, file.sha256) };
  }

  async openContent(caller: Principal, fileId: string, sha256: string): Promise<StoredContent> {
    try {
      return await this.#deps.coordinator.content.get(caller, sha256);
    } catch (error) {
      if (error instanceof AppError && error.code === "ARTIFACT_NOT_FOUND") throw notFound(fileId);
      throw error;
    }
  }

  async list(
    caller: Principal,
    query: {
      limit: number;
      after?: string | undefined;
      order: "asc" | "desc";
      purpose?: FilePurpose | undefined;
    },
  ): Promise<FilePage> {
    const { store, clock } = this.#deps;
    const rows = await listFileRows(store.db, {
      ownerId: caller.kind === "admin" ? undefined : caller.owner_id,
      now: clock.now(),
      after: query.after,
      order: query.order,
      purpose: query.purpose,
      limit: query.limit + 1,
    });
    return toPage(rows.slice(0, query.limit).map(toOpenAiFile), rows.length > query.limit);
  }

  /** Deletes a file, and its content where no other file of its owner has it. @throws AppError FILE_NOT_FOUND */
  async delete(caller: Principal, fileId: string): Promise<void> {
    const { store, coordinator } = this.#deps;
    const file = await this.find(caller, fileId);
    const isShared = await store.operation(deleteFileRow, file);
    const owner: Principal = { key_id: caller.key_id, kind: "client", owner_id: file.owner_id };
    if (!isShared) await coordinator.content.drop(owner, file.sha256);
  }

  /** Keeps a file and its content as long as a new one. @throws AppError FILE_NOT_FOUND */
  async keep(owner: Principal, { file_id, sha256 }: Pick<FileTable, "file_id" | "sha256">): Promise<void> {
    const { store, coordinator } = this.#deps;
    try {
      const until = await coordinator.content.keep(owner, sha256);
      await store.operation(extendFile, file_id, until);
    } catch (error) {
      if (error instanceof AppError && error.code === "ARTIFACT_NOT_FOUND") throw notFound(file_id);
      throw error;
    }
  }

  /** Forgets what has expired. */
  async tidy(): Promise<void> {
    const now = this.#deps.clock.now();
    await this.#deps.store.operation(deleteExpiredFiles, now, TIDY_BATCH);
  }
}

function readPurpose(fields: ReadonlyMap<string, string>): FilePurpose {
  for (const name of fields.keys()) {
    if (name !== "purpose") throw invalid(name, "is not supported here; leave it out");
  }
  const text = fields.get("purpose");
  if (text === undefined) throw missing("purpose");
  const purpose = UPLOAD_PURPOSES.find((known) => known === text);
  if (purpose) return purpose;
  throw invalid("purpose", `must be one of ${UPLOAD_PURPOSES.join(", ")}`);
}

function notFound(fileId: string): AppError {
  return new AppError("FILE_NOT_FOUND", `no file ${fileId} is kept here`, { meta: { member: "file_id" } });
}

/** Writes a file as OpenAI's API does. */
function toOpenAiFile(row: FileTable): OpenAiFile {
  return {
    id: row.file_id,
    object: "file",
    bytes: row.size_bytes,
    created_at: toUnixSeconds(row.created_at),
    expires_at: toUnixSeconds(row.expires_at),
    filename: row.filename,
    purpose: row.purpose,
    status: "processed",
    aitbc: { artifact: toReference(row.sha256) },
  };
}

/** A page as OpenAI's lists have it. */
export function toPage<Item extends { readonly id: string }>(data: Item[], hasMore: boolean) {
  return {
    object: "list" as const,
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  };
}
