import type { AnswerTable, ArtifactResultTable } from "../tables.ts";
import type { Db } from "./handle.ts";

/** A job's answer as its miner wrote it, and the artifact that it names. */
export interface Answer extends Pick<AnswerTable, "sha256" | "document"> {
  readonly artifact?: Omit<ArtifactResultTable, "job_id">;
}

type NewAnswer = Answer & Pick<AnswerTable, "job_id" | "token">;

export async function insertAnswer(tx: Db, { artifact, ...answer }: NewAnswer): Promise<void> {
  await tx.insertInto("coordinator_answer").values(answer).execute();
  if (!artifact) return;
  const { job_id } = answer;
  await tx
    .insertInto("coordinator_artifact_result")
    .values({ job_id, ...artifact })
    .execute();
}

export function findAnswer(db: Db, jobId: string): Promise<AnswerTable | undefined> {
  return db.selectFrom("coordinator_answer").selectAll().where("job_id", "=", jobId).executeTakeFirst();
}
