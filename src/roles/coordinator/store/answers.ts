import type { AnswerTable } from "../tables.ts";
import type { Db } from "./handle.ts";

/** A job's answer as its miner wrote it. */
export type Answer = Pick<AnswerTable, "sha256" | "document">;

export async function insertAnswer(tx: Db, answer: AnswerTable): Promise<void> {
  await tx.insertInto("coordinator_answer").values(answer).execute();
}

export function findAnswer(db: Db, jobId: string): Promise<AnswerTable | undefined> {
  return db.selectFrom("coordinator_answer").selectAll().where("job_id", "=", jobId).executeTakeFirst();
}
