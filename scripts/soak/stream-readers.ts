import { setTimeout as sleep } from "node:timers/promises";
import { parseJobEvent } from "../../src/client/job-stream.ts";
import { parseSse } from "../../src/kernel/http/sse.ts";
import { JobView } from "../../src/wire/jobs.ts";
import { type AnswerPlan, promptOf } from "../torture/answers.ts";
import type { Findings } from "../torture/findings.ts";
import { createRandom, type Random } from "../torture/random.ts";
import { TORTURE_MODEL } from "../torture/scripted-miner.ts";

/** The real model that comes with the program. */
export const BUILTIN_MODEL = "aitbc-tiny";

/** Wait before a broken call is made again, in ms. */
const RETRY_MS = 5;
/** One connection in so many is kept to the end; the others are left after at most so many pieces, or ms. */
const STAY_ONE_IN = 3;
const MOST_PIECES = 40;
const MOST_MS = 300;
/** One job in so many is canceled once text of it was seen. */
const CANCEL_ONE_IN = 25;
const LEAST_BYTES = 200;
const MORE_BYTES = 20_000;
const BUILTIN_TOKENS = 24;
const PROMPTS = ["Say a word", "What is 37 + 45?", "Tell me about the sea", "Count to ten"];

export const KINDS = ["native", "openai", "ollama"] as const;
type Kind = (typeof KINDS)[number];

/** A job as its client knows it. */
export interface StreamJob {
  readonly kind: Kind;
  readonly key: string;
  /** The answer is made of several choices. */
  readonly deltas: boolean;
  /** The one right answer's plan; undefined for the built-in model. */
  readonly plan: AnswerPlan | undefined;
  jobId: string;
  cancelAsked: boolean;
  /** What was delivered, by choice; of a native stream the output itself, as one. */
  seen: string[];
  /** How often its connection was left or broken. */
  breaks: number;
  /** What its client was told of its end. */
  end: { readonly error: string | undefined; readonly receiptId: string | null } | undefined;
}

/** One connection's view of a job. */
interface Reading {
  readonly job: StreamJob;
  /** Goes away after so many pieces. */
  pieces: number;
  readonly signal: AbortSignal;
  /** What this connection has delivered so far, after what was seen before it if it goes on there. */
  readonly texts: string[];
}

export interface ReadersOptions {
  readonly url: string;
  readonly apiKey: string;
  readonly seed: number;
  readonly findings: Findings;
  readonly daemonReady: () => Promise<void>;
}

/** Clients of all the streaming APIs, which go away at any moment and come back until they were told the end. */
export class StreamReaders {
  readonly jobs: StreamJob[] = [];
  readonly #options: ReadersOptions;
  readonly #random: Random;
  #submitting = true;
  readonly #running: Promise<void>[] = [];

  constructor(options: ReadersOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
  }

  /** Starts so many clients of each API; each has one job open at a time. */
  start(clients: number): void {
    for (const kind of KINDS) for (let n = 0; n < clients; n++) this.#running.push(this.#loop(kind, n));
  }

  /** Submits nothing new from here on. */
  finish(): void {
    this.#submitting = false;
  }

  async done(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #loop(kind: Kind, place: number): Promise<void> {
    while (this.#submitting) {
      const job = this.#create(kind, place);
      const body = this.#bodyOf(job);
      const cancels = job.plan !== undefined && this.#random.once(CANCEL_ONE_IN);
      while (!job.end) {
        await this.#options.daemonReady();
        await this.#connect(job, body);
        if (cancels && !job.cancelAsked && job.seen.some((text) => text !== "")) await this.#cancel(job);
      }
    }
  }

  /** The first client of each API has the real model, with several choices now and then; the others the fast one. */
  #create(kind: Kind, place: number): StreamJob {
    const isReal = place === 0;
    const job: StreamJob = {
      kind,
      key: `stream-${this.jobs.length}`,
      deltas: isReal && kind !== "ollama" && this.#random.once(2),
      plan: isReal
        ? undefined
        : {
            seed: this.#random.below(1_000_000),
            bytes: LEAST_BYTES + this.#random.below(MORE_BYTES),
            slow: false,
          },
      jobId: "",
      cancelAsked: false,
      seen: [],
      breaks: 0,
      end: undefined,
    };
    this.jobs.push(job);
    return job;
  }

  #bodyOf({ kind, plan, deltas }: StreamJob): string {
    const model = plan ? TORTURE_MODEL : BUILTIN_MODEL;
    const prompt = plan ? promptOf(plan) : (PROMPTS[this.#random.below(PROMPTS.length)] ?? "");
    const messages = [{ role: "user", content: prompt }];
    const choices = deltas ? { n: 2, temperature: 1, seed: 1 } : {};
    const options = { max_tokens: BUILTIN_TOKENS, ...choices };
    if (kind === "ollama") return JSON.stringify({ model, messages });
    if (kind === "openai") {
      const limits = plan ? {} : options;
      return JSON.stringify({ model, messages, stream: true, ...limits });
    }
    const payload = { type: "inference", model, prompt, ...(plan ? {} : options) };
    // Each kill may cost an attempt.
    return JSON.stringify({ payload, max_attempts: 10, ttl_seconds: 600 });
  }

  /** One connection, from wherever it can go on, until it ends, breaks or is left. */
  async #connect(job: StreamJob, body: string): Promise<void> {
    const stays = this.#random.once(STAY_ONE_IN);
    const byTime = !stays && this.#random.once(2);
    const signal = byTime
      ? AbortSignal.timeout(1 + this.#random.below(MOST_MS))
      : new AbortController().signal;
    const pieces = stays || byTime ? Number.POSITIVE_INFINITY : 1 + this.#random.below(MOST_PIECES);
    const reading: Reading = { job, pieces, signal, texts: [] };
    try {
      if (job.kind === "native") await this.#readNative(reading, body);
      else if (job.kind === "openai") await this.#readOpenAi(reading, body);
      else await this.#readOllama(reading, body);
    } catch (error) {
      if (error instanceof Wrong)
        this.#options.findings.add(`${job.kind} ${job.key} ${job.jobId}: ${error.message}`);
      // A status that no caller should see would be asked for again and again.
      if (error instanceof Wrong && job.jobId === "") job.end = { error: error.message, receiptId: null };
      await sleep(RETRY_MS);
    }
    if (!job.end) job.breaks++;
    this.#keep(reading);
  }

  /** What a connection delivered must agree with what was seen before, to the last byte. */
  #keep({ job, texts }: Reading): void {
    for (const [choice, text] of texts.entries()) {
      const before = job.seen[choice] ?? "";
      const agrees = text.startsWith(before) || before.startsWith(text);
      this.#options.findings.expect(agrees, `${job.kind} ${job.jobId}: text that was seen has changed`);
      if (text.length > before.length) job.seen[choice] = text;
    }
  }

  /** The jobs API: submitted once, then read after the last event that was seen. */
  async #readNative(reading: Reading, body: string): Promise<void> {
    const { job } = reading;
    if (job.jobId === "") {
      const response = await this.#post(job, "/v1/jobs", body, reading.signal);
      if (!response) return;
      job.jobId = JobView.parse(await response.json()).job_id;
    }
    await this.#resume(reading, lastSeqs.get(job) ?? 0);
  }

  /** Goes on after an event of the job's own stream. */
  async #resume(reading: Reading, after: number): Promise<void> {
    const { job, texts, signal } = reading;
    texts[0] = job.seen[0] ?? "";
    const headers = { "x-api-key": this.#options.apiKey, ...(after > 0 && { "last-event-id": `${after}` }) };
    const response = await fetch(`${this.#options.url}/v1/jobs/${job.jobId}/events`, { headers, signal });
    let last = after;
    for await (const message of parseSse(bodyOf(response))) {
      const event = parseJobEvent(message);
      if (event?.event === "end") {
        const { state, error, receipt_id } = event.data;
        job.end = { error: state === "COMPLETED" ? undefined : (error ?? state), receiptId: receipt_id };
      }
      if (event?.event !== "chunk") continue;
      this.#options.findings.expect(
        event.id === last + 1,
        `${job.kind} ${job.jobId}: chunk ${event.id} came after ${last}`,
      );
      last = event.id;
      lastSeqs.set(job, last);
      texts[0] += event.data.text;
      if (--reading.pieces <= 0) return;
    }
  }

  /** OpenAI's API: comes back through the jobs API after the last id, or with the same call from the beginning. */
  async #readOpenAi(reading: Reading, body: string): Promise<void> {
    const { job, texts } = reading;
    const after = lastSeqs.get(job);
    if (!job.deltas && after !== undefined && this.#random.once(2)) return this.#resume(reading, after);
    const response = await this.#post(job, "/v1/chat/completions", body, reading.signal);
    if (!response) return;
    this.#name(job, response);
    for await (const { data, id } of parseSse(bodyOf(response))) {
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data) as OpenAiChunk;
      if (chunk.error) job.end = { error: chunk.error.code ?? "", receiptId: null };
      for (const { index, delta } of chunk.choices ?? [])
        texts[index] = (texts[index] ?? "") + (delta.content ?? "");
      // Only with an id everything up to it was told: it may be used when the text is kept, too.
      if (id !== undefined) lastSeqs.set(job, Math.max(Number(id), lastSeqs.get(job) ?? 0));
      if (id !== undefined) this.#keep(reading);
      const receiptId = chunk.aitbc?.receipt_id;
      if (receiptId !== undefined) job.end = { error: undefined, receiptId };
      if (--reading.pieces <= 0 && !job.end) return;
    }
  }

  /** Ollama's API: the same call again tells everything from the beginning. */
  async #readOllama(reading: Reading, body: string): Promise<void> {
    const { job, texts } = reading;
    const response = await this.#post(job, "/api/chat", body, reading.signal);
    if (!response) return;
    this.#name(job, response);
    texts[0] = "";
    for await (const line of linesOf(bodyOf(response))) {
      const part = JSON.parse(line) as OllamaLine;
      texts[0] += part.message?.content ?? "";
      if (part.error !== undefined) job.end = { error: part.error, receiptId: null };
      if (part.done) job.end = { error: undefined, receiptId: part.aitbc?.receipt_id ?? null };
      if (--reading.pieces <= 0 && !job.end) return;
    }
  }

  #name(job: StreamJob, response: Response): void {
    const jobId = response.headers.get("x-aitbc-job-id") ?? "";
    if (job.jobId !== "" && jobId !== job.jobId) throw new Wrong(`the same key names ${jobId} now`);
    job.jobId = jobId;
  }

  /** Undefined where the answer had failed before its first text: that has a status instead of a stream. */
  async #post(
    job: StreamJob,
    path: string,
    body: string,
    signal: AbortSignal,
  ): Promise<Response | undefined> {
    const headers = {
      "x-api-key": this.#options.apiKey,
      "content-type": "application/json",
      "idempotency-key": job.key,
    };
    const response = await fetch(this.#options.url + path, { method: "POST", headers, body, signal });
    if (response.ok) return response;
    const text = await response.text();
    const jobId = response.headers.get("x-aitbc-job-id");
    if (jobId === null) throw new Wrong(`${path} was answered with ${response.status} ${text}`);
    this.#name(job, response);
    job.end = { error: text, receiptId: null };
    return undefined;
  }

  async #cancel(job: StreamJob): Promise<void> {
    job.cancelAsked = true;
    const headers = { "x-api-key": this.#options.apiKey };
    for (;;) {
      await this.#options.daemonReady();
      try {
        const response = await fetch(`${this.#options.url}/v1/jobs/${job.jobId}`, {
          method: "DELETE",
          headers,
        });
        // 409: it had ended, or an earlier try was carried out and its answer lost.
        const isFine = response.status === 200 || response.status === 409;
        this.#options.findings.expect(isFine, `${job.jobId}: cancel was answered with ${response.status}`);
        await response.text();
        return;
      } catch {
        await sleep(RETRY_MS);
      }
    }
  }
}

/** Something that no break explains. */
class Wrong extends Error {}

/** The last event of each job's own stream that its client has seen, with everything before it. */
const lastSeqs = new WeakMap<StreamJob, number>();

interface OpenAiChunk {
  readonly choices?: readonly {
    readonly index: number;
    readonly delta: { readonly content?: string | null };
  }[];
  readonly error?: { readonly code?: string };
  readonly aitbc?: { readonly receipt_id?: string | null };
}

interface OllamaLine {
  readonly message?: { readonly content: string };
  readonly done?: boolean;
  readonly error?: string;
  readonly aitbc?: { readonly receipt_id?: string | null };
}

function bodyOf(response: Response): ReadableStream<Uint8Array> {
  if (response.status === 200 && response.body) return response.body;
  throw new Wrong(`a stream was answered with ${response.status}`);
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of bytes) {
    const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
