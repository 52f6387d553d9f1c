import { utf8 } from "../../../crypto/bytes.ts";
import { AppError } from "../../../kernel/errors.ts";
import { CHUNK_PAGE, CHUNK_PAGE_BYTES } from "../limits.ts";
import type { Store } from "../ports.ts";
import { nameResult } from "../store/artifacts.ts";
import { findReceipt, listChunks, listChunksFrom } from "../store/delivery.ts";
import type { ArtifactResultTable, JobTable } from "../tables.ts";
import { formatOf } from "../views.ts";
import type { ByteRange } from "./files.ts";

/** Chunks that the first reading for a download takes, and each later one. */
const FIRST_PAGE = 8;
const PAGE = { rows: CHUNK_PAGE, bytes: CHUNK_PAGE_BYTES } as const;

const MEDIA_TYPES = { text: "text/plain; charset=utf-8", deltas: "application/jsonl" } as const;

/**
 * The name of a long output. Its bytes stay where they are, in the chunks that were streamed: nothing is stored
 * twice, and no quota can refuse what a client has paid for.
 */
export async function nameOutput(store: Store, job: JobTable): Promise<ArtifactResultTable> {
  const { job_id, delivered_bytes: size_bytes } = job;
  const receipt = await findReceipt(store.db, job_id);
  if (receipt?.end_byte !== size_bytes)
    throw new AppError("INTERNAL", `job ${job_id}: no receipt of its end`);
  // The column was written from a receipt of this program.
  const { metadata } = JSON.parse(receipt.document) as { metadata: { output_sha256: string } };
  const row = { job_id, sha256: metadata.output_sha256, size_bytes, media_type: MEDIA_TYPES[formatOf(job)] };
  await store.operation(nameResult, row);
  return row;
}

/** A range of a job's output, read as it is taken. */
export function readOutput(store: Store, jobId: string, range: ByteRange): ReadableStream<Uint8Array> {
  const parts = readParts(store, jobId, range);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await parts.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await parts.return();
      },
    },
    { highWaterMark: 0 },
  );
}

async function* readParts(
  { db }: Store,
  jobId: string,
  { start, end }: ByteRange,
): AsyncGenerator<Uint8Array, void, void> {
  for (
    let page = await listChunksFrom(db, jobId, start, FIRST_PAGE), last = page.at(-1);
    last;
    page = await listChunks(db, jobId, last.seq, PAGE), last = page.at(-1)
  ) {
    for (const { start_byte, text } of page) {
      if (start_byte >= end) return;
      const part = utf8(text).subarray(Math.max(0, start - start_byte), end - start_byte);
      if (part.length > 0) yield part;
    }
  }
}
