import { sql } from "kysely";
import { MAX_INLINE_BYTES } from "../../../wire/limits.ts";
import { checkQuotas, type Quotas } from "../artifacts/quotas.ts";
import type { ArtifactResultTable, ArtifactTable } from "../tables.ts";
import type { Db } from "./handle.ts";

/** What an artifact counts at least, in bytes: a file takes a block of the disk, and each one has a row. */
const MIN_CHARGE_BYTES = 4096;

const charged = sql<number>`coalesce(sum(case when size_bytes < ${sql.lit(MIN_CHARGE_BYTES)}
  then ${sql.lit(MIN_CHARGE_BYTES)} else size_bytes end), 0)`;

/** Stores an owner's claim on content where the quotas have room for it. @throws AppError LIMIT_EXCEEDED */
export async function addArtifact(tx: Db, row: ArtifactTable, quotas: Quotas): Promise<void> {
  const { sha256, owner_id, size_bytes } = row;
  const charge = Math.max(size_bytes, MIN_CHARGE_BYTES);
  checkQuotas(quotas, {
    ofOwner: (await sumOfOwner(tx, owner_id, sha256)) + charge,
    ofAll: (await sumOfAll(tx, sha256)) + charge,
  });
  await upsertArtifact(tx, row);
}

/** Stores an owner's claim on content; a later one keeps it longer and renames its media type. */
async function upsertArtifact(tx: Db, row: ArtifactTable): Promise<void> {
  const { media_type, expires_at } = row;
  await tx
    .insertInto("coordinator_artifact")
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(["sha256", "owner_id"]).doUpdateSet({ media_type, expires_at }),
    )
    .execute();
}

/** What an owner keeps, in bytes that count against its quota; without one content. */
export async function sumOfOwner(db: Db, ownerId: string, exceptSha256 = ""): Promise<number> {
  const { bytes } = await db
    .selectFrom("coordinator_artifact")
    .select(charged.as("bytes"))
    .where("owner_id", "=", ownerId)
    .where("sha256", "<>", exceptSha256)
    .executeTakeFirstOrThrow();
  return Number(bytes);
}

/** What all owners keep; content of several of them counts once. */
export async function sumOfAll(db: Db, exceptSha256 = ""): Promise<number> {
  const { bytes } = await db
    .selectFrom((e) =>
      e
        .selectFrom("coordinator_artifact")
        .select(["sha256", "size_bytes"])
        .distinct()
        .where("sha256", "<>", exceptSha256)
        .as("content"),
    )
    .select(charged.as("bytes"))
    .executeTakeFirstOrThrow();
  return Number(bytes);
}

/** An owner's artifact; of any owner where none is named. */
export function findArtifact(db: Db, sha256: string, ownerId?: string): Promise<ArtifactTable | undefined> {
  let query = db
    .selectFrom("coordinator_artifact")
    .selectAll()
    .where("sha256", "=", sha256)
    .orderBy("expires_at", "desc")
    .limit(1);
  if (ownerId !== undefined) query = query.where("owner_id", "=", ownerId);
  return query.executeTakeFirst();
}

/** Keeps an owner's artifact until a time; whether there is one. */
export async function keepArtifact(
  tx: Db,
  { sha256, owner_id, expires_at }: Pick<ArtifactTable, "sha256" | "owner_id" | "expires_at">,
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable("coordinator_artifact")
    .set({ expires_at })
    .where("sha256", "=", sha256)
    .where("owner_id", "=", owner_id)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function deleteArtifactRows(tx: Db, sha256: string, ownerId?: string): Promise<void> {
  let query = tx.deleteFrom("coordinator_artifact").where("sha256", "=", sha256);
  if (ownerId !== undefined) query = query.where("owner_id", "=", ownerId);
  await query.execute();
}

/** Content with rows that have expired. */
export async function listExpired(db: Db, now: number, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom("coordinator_artifact")
    .select("sha256")
    .distinct()
    .where("expires_at", "<=", now)
    .limit(limit)
    .execute();
  return rows.map(({ sha256 }) => sha256);
}

export async function deleteExpired(tx: Db, sha256: string, now: number): Promise<void> {
  await tx
    .deleteFrom("coordinator_artifact")
    .where("sha256", "=", sha256)
    .where("expires_at", "<=", now)
    .execute();
}

/** A page of an owner's artifacts that are kept at a time, in the order of their names. */
export function listOfOwner(
  db: Db,
  { owner_id, after, now }: { owner_id: string; after: string; now: number },
  limit: number,
): Promise<ArtifactTable[]> {
  return db
    .selectFrom("coordinator_artifact")
    .selectAll()
    .where("owner_id", "=", owner_id)
    .where("sha256", ">", after)
    .where("expires_at", ">", now)
    .orderBy("sha256")
    .limit(limit)
    .execute();
}

/** Names of content in their order, after one of them. */
export async function listArtifacts(db: Db, after: string, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom("coordinator_artifact")
    .select("sha256")
    .distinct()
    .where("sha256", ">", after)
    .orderBy("sha256")
    .limit(limit)
    .execute();
  return rows.map(({ sha256 }) => sha256);
}

/** The artifact that is a job's result. */
export function findArtifactResult(db: Db, jobId: string): Promise<ArtifactResultTable | undefined> {
  return db
    .selectFrom("coordinator_artifact_result")
    .selectAll()
    .where("job_id", "=", jobId)
    .executeTakeFirst();
}

/** Names the artifact that a job's result is, unless that was done before. */
export async function nameResult(tx: Db, row: ArtifactResultTable): Promise<void> {
  await tx
    .insertInto("coordinator_artifact_result")
    .values(row)
    .onConflict((conflict) => conflict.column("job_id").doNothing())
    .execute();
}

/** A result that is a job's whole output, by its name: of one client, or of any. */
export function findOutputResult(
  db: Db,
  sha256: string,
  clientId?: string,
): Promise<ArtifactResultTable | undefined> {
  let query = db
    .selectFrom("coordinator_artifact_result as result")
    .innerJoin("coordinator_job as job", "job.job_id", "result.job_id")
    .selectAll("result")
    .where("result.sha256", "=", sha256)
    .where("result.size_bytes", ">", MAX_INLINE_BYTES)
    // What a miner uploads is named by an output that is short.
    .whereRef("job.delivered_bytes", "=", "result.size_bytes")
    .limit(1);
  if (clientId !== undefined) query = query.where("job.client_id", "=", clientId);
  return query.executeTakeFirst();
}

/** Whether content is the result of a job: of one client, or of any. */
export async function isResult(db: Db, sha256: string, clientId?: string): Promise<boolean> {
  let query = db
    .selectFrom("coordinator_artifact_result as result")
    .innerJoin("coordinator_job as job", "job.job_id", "result.job_id")
    .select("job.job_id")
    .where("result.sha256", "=", sha256)
    .limit(1);
  if (clientId !== undefined) query = query.where("job.client_id", "=", clientId);
  return (await query.executeTakeFirst()) !== undefined;
}
