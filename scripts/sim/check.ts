import type Sqlite from "better-sqlite3";
import { toBase64Url } from "../../src/crypto/bytes.ts";
import { coordinator } from "../../src/roles/coordinator/index.ts";
import type { ChunkTable, JobTable, ReceiptTable, SegmentTable } from "../../src/roles/coordinator/tables.ts";
import { answerOf } from "../torture/answers.ts";
import { checkJobRows, type JobRows } from "../torture/verify.ts";
import { type JobFacts, type Played, STRAY_TEXT } from "./schedule.ts";
import type { World } from "./world.ts";

/** Holds the rows that a schedule left against what was asked for and said in it. */
export async function checkPlayed(world: World, played: Played, coordinatorKey: string): Promise<void> {
  const { findings, disk } = world;
  const minerKeys = played.miners.map(({ publicKey }) => toBase64Url(publicKey));
  for (const [jobId, facts] of played.jobs) {
    const rows = readRows(disk.witness, jobId);
    if (!rows) continue;
    checkJobRows(rows, { coordinatorKeys: [coordinatorKey], minerKeys }, findings);
    checkEnd(rows, facts, (finding) => findings.add(`job ${jobId}: ${finding}`));
  }
  for (const finding of await coordinator.check(disk.database.db)) findings.add(finding);
}

/** The job has ended, in a way that something in the schedule explains, with a part of the right answer. */
function checkEnd({ job, chunks }: JobRows, facts: JobFacts, add: (finding: string) => void): void {
  const text = chunks.map((chunk) => chunk.text).join("");
  const answer = answerOf(facts.plan).toString();
  if (text.includes(STRAY_TEXT)) add("text of a stale write was stored");
  if (!answer.startsWith(text)) add("the stored text is not the answer");
  if (facts.ended === undefined) add(`never came to its end: ${job.state}, ${job.error}`);
  if (job.attempts !== job.token) add(`${job.attempts} attempts, ${job.token} leases`);
  if (job.state === "COMPLETED" && text !== answer) add("completed without the whole answer");
  if ((job.state === "CANCELED") !== facts.canceled) add(`${job.state}, canceled: ${facts.canceled}`);
  if (job.state === "EXPIRED" && job.attempts > 0) add("expired after it had run");
  const isExplained = job.attempts === job.max_attempts || facts.hopeless || job.run_ms >= job.max_run_ms;
  if (job.state === "FAILED" && !isExplained) add(`failed without need: ${job.error}`);
}

function readRows(witness: Sqlite.Database, jobId: string): JobRows | undefined {
  const all = <T>(table: string, order: string): T[] =>
    witness
      .prepare<[string], T>(`select * from coordinator_${table} where job_id = ? order by ${order}`)
      .all(jobId);
  const [job] = all<JobTable>("job", "job_id");
  return (
    job && {
      job,
      chunks: all<ChunkTable>("chunk", "seq"),
      segments: all<SegmentTable>("segment", "token"),
      receipts: all<ReceiptTable>("receipt", "token"),
    }
  );
}
