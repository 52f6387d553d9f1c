import type { Kysely } from "kysely";
import type { FilePurpose } from "../../../wire/openai/files.ts";
import type { FileTable, GatewayTables } from "../tables.ts";

type Db = Kysely<GatewayTables>;

export async function insertFile(tx: Db, row: FileTable): Promise<void> {
  await tx.insertInto("gateway_file").values(row).execute();
}

/** A file that is kept at a time; of any owner where none is named. */
export function findFile(
  db: Db,
  fileId: string,
  now: number,
  ownerId?: string,
): Promise<FileTable | undefined> {
  let query = db
    .selectFrom("gateway_file")
    .selectAll()
    .where("file_id", "=", fileId)
    .where("expires_at", ">", now);
  if (ownerId !== undefined) query = query.where("owner_id", "=", ownerId);
  return query.executeTakeFirst();
}

export interface FileQuery {
  readonly ownerId: string | undefined;
  readonly now: number;
  /** The id of the file before the first; undefined: from the beginning. */
  readonly after: string | undefined;
  readonly order: "asc" | "desc";
  readonly purpose: FilePurpose | undefined;
  readonly limit: number;
}

/** Files in the order in which they were made. */
export function listFileRows(db: Db, query: FileQuery): Promise<FileTable[]> {
  const { ownerId, now, after, order, purpose, limit } = query;
  let rows = db
    .selectFrom("gateway_file")
    .selectAll()
    .where("expires_at", ">", now)
    .orderBy("file_id", order)
    .limit(limit);
  if (ownerId !== undefined) rows = rows.where("owner_id", "=", ownerId);
  if (after !== undefined) rows = rows.where("file_id", order === "asc" ? ">" : "<", after);
  if (purpose !== undefined) rows = rows.where("purpose", "=", purpose);
  return rows.execute();
}

/** How many files an owner has. */
export async function countFiles(db: Db, ownerId: string): Promise<number> {
  const { files } = await db
    .selectFrom("gateway_file")
    .select(({ fn }) => fn.countAll<number>().as("files"))
    .where("owner_id", "=", ownerId)
    .executeTakeFirstOrThrow();
  return Number(files);
}

/** Deletes a file; whether another one of its owner has the same content. */
export async function deleteFileRow(
  tx: Db,
  { file_id, owner_id, sha256 }: Pick<FileTable, "file_id" | "owner_id" | "sha256">,
): Promise<boolean> {
  await tx.deleteFrom("gateway_file").where("file_id", "=", file_id).execute();
  const other = await tx
    .selectFrom("gateway_file")
    .select("file_id")
    .where("sha256", "=", sha256)
    .where("owner_id", "=", owner_id)
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
}

/** Keeps a file until a time at least. */
export async function extendFile(tx: Db, fileId: string, until: number): Promise<void> {
  await tx
    .updateTable("gateway_file")
    .set({ expires_at: until })
    .where("file_id", "=", fileId)
    .where("expires_at", "<", until)
    .execute();
}

/** Forgets files that have expired, at most `limit` at once. */
export async function deleteExpiredFiles(tx: Db, now: number, limit: number): Promise<void> {
  const expired = await tx
    .selectFrom("gateway_file")
    .select("file_id")
    .where("expires_at", "<=", now)
    .limit(limit)
    .execute();
  if (expired.length === 0) return;
  const ids = expired.map(({ file_id }) => file_id);
  await tx.deleteFrom("gateway_file").where("file_id", "in", ids).execute();
}
