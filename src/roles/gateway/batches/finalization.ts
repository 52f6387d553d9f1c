import { AppError } from "../../../kernel/errors.ts";
import type { Principal } from "../../../wire/access.ts";
import type { StoredContent } from "../ports.ts";
import type { BatchTable, FileTable, LineState } from "../tables.ts";
import type { RunDeps } from "./deps.ts";
import { writeLines } from "./output.ts";
import { type BatchChange, changeBatch, endBatch, noteErrors } from "./store.ts";

const MEDIA_TYPE = "application/jsonl";

type FinalizationDeps = Pick<
  RunDeps,
  "store" | "coordinator" | "files" | "clock" | "stopping" | "batchMetrics"
>;

interface Subject {
  readonly batch: BatchTable;
  readonly owner: Principal;
  readonly input: StoredContent;
}

/** Writes the files of a batch whose lines have all ended. They are there when the batch says so, and not before. */
export class Finalization {
  readonly #deps: FinalizationDeps;
  readonly #subject: Subject;

  constructor(deps: FinalizationDeps, subject: Subject) {
    this.#deps = deps;
    this.#subject = subject;
  }

  /** `later`: there is no room for the files now; the batch says so, and nothing is lost. */
  async run(): Promise<"ended" | "later"> {
    const { store, clock, batchMetrics } = this.#deps;
    const { batch } = this.#subject;
    const outcome = batch.outcome ?? "cancelled";
    try {
      const output = await this.#write(["completed"], "output");
      const errors = await this.#write(["failed", "pending", "queued", "stopped"], "error");
      const change: BatchChange = {
        status: outcome,
        outcome,
        [`${outcome}_at`]: clock.now(),
        output_file_id: output?.file_id ?? null,
        error_file_id: errors?.file_id ?? null,
        errors: null,
      };
      const files = [output, errors].filter((file) => file !== undefined);
      if (await store.operation(endBatch, batch.batch_id, files, change)) {
        batchMetrics.ended(outcome);
      }
      return "ended";
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === "LIMIT_EXCEEDED") return this.#waitForRoom(error);
      if (error.code === "PAYLOAD_TOO_LARGE") return this.#giveUp(error);
      throw error;
    }
  }

  /** Stores one file; undefined where it would be empty. */
  async #write(states: readonly LineState[], name: string): Promise<FileTable | undefined> {
    const { files, coordinator, stopping: signal } = this.#deps;
    const { owner, batch } = this.#subject;
    const lines = writeLines({ ...this.#deps, ...this.#subject, signal }, states);
    const first = await lines.next();
    if (first.done) return undefined;
    let failure: unknown;
    const body = toStream(first.value, lines, (error) => {
      failure = error;
    });
    const stored = await coordinator.content
      .put(owner, MEDIA_TYPE, () => body)
      .catch((error: unknown) => {
        // What broke the file off says more than that it broke off.
        throw failure ?? error;
      });
    return files.create(owner.owner_id, {
      sha256: stored.sha256,
      size_bytes: stored.sizeBytes,
      filename: `${batch.batch_id}_${name}.jsonl`,
      purpose: "batch_output",
      expires_at: stored.expiresAt,
    });
  }

  async #waitForRoom({ message }: AppError): Promise<"later"> {
    const errors = [{ code: "no_room_for_output", message, param: null, line: null }];
    await this.#deps.store.operation(noteErrors, this.#subject.batch.batch_id, errors);
    return "later";
  }

  async #giveUp({ message }: AppError): Promise<"ended"> {
    const { store, clock, batchMetrics } = this.#deps;
    const errors = JSON.stringify([{ code: "output_too_large", message, param: null, line: null }]);
    const change = { status: "failed", failed_at: clock.now(), errors } as const;
    const { batch_id } = this.#subject.batch;
    await store.operation(changeBatch, batch_id, ["finalizing", "cancelling"], change);
    batchMetrics.ended("failed");
    return "ended";
  }
}

function toStream(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void, void>,
  onError: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  let next: Uint8Array | undefined = first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const part = next ?? (await rest.next()).value;
          next = undefined;
          if (part) controller.enqueue(part);
          else controller.close();
        } catch (error) {
          onError(error);
          throw error;
        }
      },
      async cancel() {
        await rest.return();
      },
    },
    { highWaterMark: 0 },
  );
}
