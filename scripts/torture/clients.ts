import { setTimeout as sleep } from "node:timers/promises";
import { parseJobEvent } from "../../src/client/job-stream.ts";
import { parseSse } from "../../src/kernel/http/sse.ts";
import type { EndEvent, JobEvent } from "../../src/wire/job-events.ts";
import { JobView } from "../../src/wire/jobs.ts";
import { type AnswerPlan, promptOf } from "./answers.ts";
import type { Findings } from "./findings.ts";
import { createRandom, type Random } from "./random.ts";
import { TORTURE_MODEL } from "./scripted-miner.ts";

/** Wait before a broken call is made again, in ms: the daemon is back in less than a second. */
const RETRY_MS = 5;
/** One submission in so many is sent twice at the same time under one key. */
const TWIN_ONE_IN = 6;
/** One job in so many has a second reader, which begins anew with every connection. */
const ANEW_ONE_IN = 4;
/** One job in so many is canceled once text of it was seen. */
const CANCEL_ONE_IN = 25;
/** Sizes of fast answers and of slow ones, in bytes. */
const FAST_BYTES = { least: 200, range: 6_000 };
const SLOW_BYTES = 60_000;
/** Tokens of one answer of the built-in model: enough to be streamed. */
const BUILTIN_TOKENS = 24;
const BUILTIN_MODEL = "aitbc-tiny";

/** What one reader has seen of a job. */
export interface Seen {
  text: string;
  /** Set when the reader was told the end. */
  end: EndEvent | undefined;
}

/** A job as its client knows it. */
export interface ClientJob {
  readonly key: string;
  readonly body: string;
  /** The one right answer's plan; undefined for the built-in model. */
  readonly plan: AnswerPlan | undefined;
  /** Set by the first acknowledgement (201). */
  jobId: string;
  cancelAsked: boolean;
  readonly readers: Seen[];
}

export interface ClientsOptions {
  readonly url: string;
  readonly apiKey: string;
  readonly seed: number;
  readonly findings: Findings;
  readonly daemonReady: () => Promise<void>;
  /** Called with every piece of text that a reader sees. */
  readonly onText: () => void;
  /** First part of the idempotency keys: clients that share an API key have one each. */
  readonly name?: string;
  /** Sizes of fast answers, in bytes. */
  readonly fastBytes?: { readonly least: number; readonly range: number };
  /** How long a client thinks before it submits its next job. */
  readonly think?: () => Promise<void>;
}

/** Clients that submit without pause, read what comes, and remember everything that they were told. */
export class Clients {
  readonly jobs: ClientJob[] = [];
  readonly #options: ClientsOptions;
  readonly #random: Random;
  #submitting = true;
  #running: Promise<void>[] = [];

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
  }

  /** Starts clients: each has one job open at a time. */
  start(counts: { fast: number; slow: number; builtin: number }): void {
    const run = (count: number, create: () => ClientJob): void => {
      for (let index = 0; index < count; index++) this.#running.push(this.#loop(create));
    };
    run(counts.fast, () => this.#create(this.#plan(false)));
    run(counts.slow, () => this.#create(this.#plan(true)));
    run(counts.builtin, () => this.#create(undefined));
  }

  /** Submits nothing new from here on. */
  finish(): void {
    this.#submitting = false;
  }

  /** Resolves when every client has seen its last job end. */
  async done(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Sends every acknowledged submission again: the same key must name the same job. */
  async repeatAll(): Promise<void> {
    const { findings } = this.#options;
    for (const { key, body, jobId } of this.jobs.filter((job) => job.jobId !== "")) {
      const response = await this.#call("POST", "/v1/jobs", { key, body });
      const again = JobView.parse(await response.json());
      const isReplay = response.status === 201 && response.headers.get("idempotent-replayed") === "true";
      findings.expect(
        isReplay && again.job_id === jobId,
        `key ${key} named job ${jobId} and now ${again.job_id}`,
      );
    }
  }

  #plan(slow: boolean): AnswerPlan {
    const { least, range } = this.#options.fastBytes ?? FAST_BYTES;
    const bytes = slow ? SLOW_BYTES : least + this.#random.below(range);
    return { seed: this.#random.below(1_000_000), bytes, slow };
  }

  #create(plan: AnswerPlan | undefined): ClientJob {
    const payload = plan
      ? { type: "inference", model: TORTURE_MODEL, prompt: promptOf(plan) }
      : { type: "inference", model: BUILTIN_MODEL, prompt: "Say a word", max_tokens: BUILTIN_TOKENS };
    const key = `${this.#options.name ?? "torture"}-${this.jobs.length}`;
    // Each kill may cost an attempt.
    const body = JSON.stringify({ payload, max_attempts: 10, ttl_seconds: 600 });
    const job: ClientJob = { key, body, plan, jobId: "", cancelAsked: false, readers: [] };
    this.jobs.push(job);
    return job;
  }

  async #loop(create: () => ClientJob): Promise<void> {
    for (;;) {
      await this.#options.think?.();
      if (!this.#submitting) return;
      const job = create();
      await this.#submit(job);
      if (job.jobId === "") return;
      const anew = this.#random.once(ANEW_ONE_IN);
      const cancels = job.plan !== undefined && !job.plan.slow && this.#random.once(CANCEL_ONE_IN);
      await Promise.all([
        this.#read(job, { anew: false, cancels }),
        anew ? this.#read(job, { anew: true, cancels: false }) : undefined,
      ]);
    }
  }

  /** Sends a submission until it is acknowledged, under one key. */
  async #submit(job: ClientJob): Promise<void> {
    const once = async (): Promise<void> => {
      const response = await this.#call("POST", "/v1/jobs", job);
      const text = await response.text();
      if (response.status !== 201) {
        this.#options.findings.add(`submission ${job.key} was answered with ${response.status}: ${text}`);
        return;
      }
      const { job_id } = JobView.parse(JSON.parse(text));
      const isSame = job.jobId === "" || job.jobId === job_id;
      this.#options.findings.expect(
        isSame,
        `key ${job.key} was acknowledged as ${job.jobId} and as ${job_id}`,
      );
      job.jobId ||= job_id;
    };
    const twin = this.#random.once(TWIN_ONE_IN) ? this.#untilAnswered(once) : undefined;
    await Promise.all([this.#untilAnswered(once), twin]);
  }

  /** Reads a job's stream to its end, through every break. */
  async #read(job: ClientJob, { anew, cancels }: { anew: boolean; cancels: boolean }): Promise<void> {
    const seen: Seen = { text: "", end: undefined };
    job.readers.push(seen);
    const reader = { seen, lastSeq: 0, canceling: undefined as Promise<void> | undefined };
    await this.#untilAnswered(async () => {
      if (anew) reader.lastSeq = 0;
      let text = "";
      for await (const event of this.#events(job.jobId, reader.lastSeq)) {
        if (event.event === "end") seen.end = event.data;
        if (event.event !== "chunk") continue;
        const isNext = event.id === reader.lastSeq + 1;
        this.#options.findings.expect(isNext, `${job.jobId}: chunk ${event.id} came after ${reader.lastSeq}`);
        reader.lastSeq = event.id;
        text += event.data.text;
        this.#options.onText();
        if (anew) this.#compare(job, seen, text);
        else seen.text += event.data.text;
        if (cancels) reader.canceling ??= this.#cancel(job);
      }
      if (!seen.end) throw new Error("the stream broke");
    });
    await reader.canceling;
  }

  /** A reader that begins anew must see again what it saw before, and may see more. */
  #compare(job: ClientJob, seen: Seen, text: string): void {
    const agrees = text.startsWith(seen.text) || seen.text.startsWith(text);
    this.#options.findings.expect(agrees, `${job.jobId}: text that was seen has changed`);
    if (text.length > seen.text.length) seen.text = text;
  }

  async *#events(jobId: string, after: number): AsyncGenerator<JobEvent> {
    const headers = { ...this.#headers(), ...(after > 0 && { "last-event-id": String(after) }) };
    const response = await fetch(`${this.#options.url}/v1/jobs/${jobId}/events`, { headers });
    if (response.status !== 200 || !response.body) {
      const text = await response.text();
      this.#options.findings.add(
        `${jobId}: the stream after ${after} was answered with ${response.status} ${text}`,
      );
      await sleep(RETRY_MS);
      return;
    }
    for await (const message of parseSse(response.body)) {
      const event = parseJobEvent(message);
      if (event) yield event;
    }
  }

  async #cancel(job: ClientJob): Promise<void> {
    job.cancelAsked = true;
    await this.#untilAnswered(async () => {
      const response = await this.#call("POST", `/v1/jobs/${job.jobId}/cancel`, {});
      const text = await response.text();
      // 409: it had ended, or an earlier try was carried out and its answer lost.
      const isFine = response.status === 200 || response.status === 409;
      this.#options.findings.expect(
        isFine,
        `${job.jobId}: cancel was answered with ${response.status} ${text}`,
      );
    });
  }

  /** Tries again while the daemon is away: what came of a broken call is unknown. */
  async #untilAnswered(call: () => Promise<void>): Promise<void> {
    for (;;) {
      await this.#options.daemonReady();
      try {
        await call();
        return;
      } catch {
        await sleep(RETRY_MS);
      }
    }
  }

  #call(method: string, path: string, { key, body }: { key?: string; body?: string }): Promise<Response> {
    const headers = {
      ...this.#headers(),
      ...(key !== undefined && { "idempotency-key": key }),
      ...(body !== undefined && { "content-type": "application/json" }),
    };
    return fetch(`${this.#options.url}${path}`, { method, headers, ...(body !== undefined && { body }) });
  }

  #headers(): Record<string, string> {
    return { "x-api-key": this.#options.apiKey };
  }
}
