import type { Client } from "../../../client/client.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { JobPayload } from "../../../wire/jobs.ts";
import { type Io, writeLine } from "../../io.ts";
import { TextSink } from "../answer/sink.ts";
import { type Followed, followJob } from "../follow.ts";

/** One question on its way to its answer. */
export class Asking {
  readonly #io: Io;
  readonly #client: Client;
  readonly #leave = new AbortController();
  #jobId: string | undefined;
  #interrupted = false;

  constructor(io: Io, client: Client) {
    this.#io = io;
    this.#client = client;
  }

  /** Whether the person asked to stop. */
  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** Stops the answer: the job is canceled, and its engine stops. A second time nothing is waited for. */
  interrupt(): void {
    if (this.#interrupted) this.#leave.abort();
    else if (this.#jobId !== undefined) this.#cancel(this.#jobId);
    this.#interrupted = true;
  }

  /** Submits a job and shows its answer as it comes. `onJob` hears its id before anything is shown. */
  async run(payload: JobPayload, onJob: (jobId: string) => Promise<void>): Promise<Followed> {
    const { job_id } = await this.#client.submitJob({ payload }, { signal: this.#leave.signal });
    this.#jobId = job_id;
    // Ctrl-C may have come while the job was made.
    if (this.#interrupted) this.#cancel(job_id);
    await onJob(job_id);
    return this.follow(job_id);
  }

  /** Shows the answer of a job that was made before. */
  follow(jobId: string): Promise<Followed> {
    this.#jobId = jobId;
    const { signal } = this.#leave;
    return followJob(this.#io, this.#client, jobId, { sink: new TextSink(this.#io), signal });
  }

  #cancel(jobId: string): void {
    this.#client.cancelJob(jobId).catch((error: unknown) => {
      // The job may have ended in the same moment: its end is on the way then.
      if (error instanceof AppError && error.code === "CONFLICT_STATE") return;
      const reason = error instanceof Error ? error.message : String(error);
      writeLine(this.#io.stderr, `could not cancel: ${reason}; Ctrl-C again leaves the job alone`);
    });
  }
}
