import { AppError } from "../../kernel/errors.ts";
import type { Principal } from "../../wire/access.ts";
import { digestOf, toReference } from "../../wire/artifacts.ts";
import type { JobEvent } from "../../wire/job-events.ts";
import type { JobSubmission, JobView } from "../../wire/jobs.ts";
import type { KnownModel } from "../../wire/models.ts";
import type { Idempotency } from "./intake.ts";
import type { Coordinator } from "./service.ts";

/** Jobs and models for callers in this process: what the routes offer, without HTTP in between. */
export interface CoordinatorDoor {
  submit(
    caller: Principal,
    submission: JobSubmission,
    key?: Idempotency,
  ): Promise<{ readonly job: JobView; readonly replayed: boolean }>;
  events(
    caller: Principal,
    jobId: string,
    afterSeq: number,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<JobEvent | "keep-alive", void, void> | undefined>;
  cancel(caller: Principal, jobId: string): Promise<JobView>;
  minerOf(jobId: string, segment: number): Promise<string | undefined>;
  listModels(): readonly KnownModel[];
  findModel(name: string): KnownModel | undefined;
  putImage(caller: Principal, mediaType: string, bytes: Uint8Array): Promise<string>;
  job(caller: Principal, jobId: string): Promise<JobView>;
  room(model: string): number;
  readonly content: ContentDoor;
}

/** Artifacts for callers in this process, by the hex digits of their SHA-256. */
export interface ContentDoor {
  put(
    caller: Principal,
    mediaType: string,
    openBody: () => ReadableStream<Uint8Array>,
  ): Promise<{ readonly sha256: string; readonly sizeBytes: number; readonly expiresAt: number }>;
  get(
    caller: Principal,
    sha256: string,
  ): Promise<{
    readonly sizeBytes: number;
    read(range: { readonly start: number; readonly end: number }): ReadableStream<Uint8Array>;
  }>;
  keep(caller: Principal, sha256: string): Promise<number>;
  drop(caller: Principal, sha256: string): Promise<void>;
}

export function createDoor(coordinator: Coordinator): CoordinatorDoor {
  const content = createContentDoor(coordinator);
  return {
    content,
    job: (caller, jobId) => coordinator.view(caller, jobId),
    room: (model) => coordinator.room(model),
    async submit(caller, submission, key) {
      const { text, replayed } = await coordinator.submit(caller, submission, key);
      // The text was written from a view.
      return { job: JSON.parse(text) as JobView, replayed };
    },
    events: (caller, jobId, afterSeq, signal) => coordinator.events(caller, jobId, afterSeq, signal),
    cancel: (caller, jobId) => coordinator.cancel(caller, jobId),
    minerOf: (jobId, segment) => coordinator.minerOf(jobId, segment),
    listModels: () => coordinator.models.list(),
    findModel: (name) => coordinator.models.find(name),
    async putImage(caller, mediaType, bytes) {
      return (await content.put(caller, mediaType, () => streamOf(bytes))).sha256;
    },
  };
}

function createContentDoor({ artifacts }: Coordinator): ContentDoor {
  return {
    async put(caller, mediaType, openBody) {
      const announced = { mediaType, sizeBytes: undefined, sha256: undefined };
      const { artifact, size_bytes, expires_at } = await artifacts.put(caller, announced, openBody);
      const sha256 = digestOf(artifact);
      if (sha256 === undefined) throw new AppError("INTERNAL", "an artifact has no digest");
      return { sha256, sizeBytes: size_bytes, expiresAt: Date.parse(expires_at) };
    },
    async get(caller, sha256) {
      const { size_bytes, read } = await artifacts.get(caller, sha256);
      return { sizeBytes: size_bytes, read };
    },
    keep: (caller, sha256) => artifacts.keep(caller, toReference(sha256)),
    async drop(caller, sha256) {
      try {
        await artifacts.delete(caller, toReference(sha256));
      } catch (error) {
        const isGone = error instanceof AppError && error.code === "ARTIFACT_NOT_FOUND";
        const isKept = error instanceof AppError && error.code === "CONFLICT_STATE";
        if (!isGone && !isKept) throw error;
      }
    },
  };
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}
