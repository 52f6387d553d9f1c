import { type Claimed, claimJob } from "../../../src/roles/coordinator/claim.ts";
import { ClaimsUnderWay } from "../../../src/roles/coordinator/claims-under-way.ts";
import { FairShare } from "../../../src/roles/coordinator/fair-share.ts";
import type { MinerProfile } from "../../../src/roles/coordinator/miner-link.ts";
import type { CoordinatorDeps } from "../../../src/roles/coordinator/ports.ts";
import { Requirements, toNeed } from "../../../src/roles/coordinator/requirements.ts";
import { insertJobs, type NewJob } from "../../../src/roles/coordinator/store/jobs.ts";
import { findNext } from "../../../src/roles/coordinator/store/queue.ts";
import { JobSubmission } from "../../../src/wire/jobs.ts";
import { MAX_PRIORITY } from "../../../src/wire/limits.ts";
import { CONFIG, createDeps, openCoordinatorDatabase } from "./coordinator.ts";
import type { Plan, Result } from "./result.ts";
import { median } from "./stats.ts";
import { withDirectory } from "./temporary.ts";

const FEW_JOBS = 1_000;
const MANY_JOBS = 1_000_000;
const MODELS = 50;
const CLIENTS = 20;
/** Jobs stored in one operation while the queue is filled: one commit a second would do as well as a thousand. */
const FILL_BATCH = 2_000;
/** Claims timed in each queue. Each is replaced by such a job, so that the queue stays as it is. */
const CLAIMS = 500;
const WARM_UP_CLAIMS = 100;
/** Jobs after which all models have come. */
const ROUND = 100;
/** What half of the jobs ask of a miner beside their model. */
const CONSTRAINTS = [{ min_vram_gb: 8 }, { min_vram_gb: 24 }, { region: "eu-west" }, { gpu: "RTX 4090" }];

const modelName = (index: number): string => `model-${index}`;

/** One GPU in one region, with the models of some numbers. */
function minerWith(models: readonly number[]): MinerProfile {
  return {
    minerId: "ait1bench",
    name: "bench",
    region: "eu-west",
    payout: null,
    slots: 1,
    capabilities: {
      gpus: [{ name: "RTX 4090", memory_mb: 24 * 1024 }],
      cuda: "12.4",
      cpu: { name: "bench", cores: 2 },
      memory_mb: 64 * 1024,
      models: models.map((index) => ({
        name: modelName(index),
        digest: "",
        context_tokens: 4096,
        engine: "bench",
        tokens_per_second: null,
        features: ["text"],
      })),
      price: null,
    },
  };
}

/** Makes the n-th job. `modelOf` spreads the jobs over the models. */
type ModelOf = (n: number) => number;
/** Evenly: each model has as many jobs. */
const evenly: ModelOf = (n) => n % MODELS;
/** One job in a hundred asks for model 0, all others for the models that the miner lacks. */
const rarely: ModelOf = (n) => (n % 100 === 0 ? 0 : 1 + (n % (MODELS - 1)));

class Queue {
  readonly #deps: CoordinatorDeps;
  readonly #requirements: Requirements;
  readonly #fair: FairShare;
  readonly #modelOf: ModelOf;
  #jobs = 0;

  constructor(deps: CoordinatorDeps, modelOf: ModelOf) {
    this.#deps = deps;
    this.#requirements = new Requirements(deps.store, deps.clock);
    this.#fair = new FairShare(deps.store, CONFIG);
    this.#modelOf = modelOf;
  }

  async #next(): Promise<NewJob> {
    const n = this.#jobs++;
    const model = modelName(this.#modelOf(n));
    const round = Math.floor(n / ROUND);
    const constraints =
      round % 2 === 0 ? {} : (CONSTRAINTS[Math.floor(round / 2) % CONSTRAINTS.length] ?? {});
    const submission = JobSubmission.parse({
      payload: { type: "inference", model, prompt: "hello" },
      constraints,
    });
    const now = this.#deps.clock.now();
    return {
      job_id: this.#deps.ids.next(),
      client_id: `client-${n % CLIENTS}`,
      kind: "inference",
      model,
      payload: JSON.stringify(submission.payload),
      constraints: JSON.stringify(constraints),
      requirement_id: await this.#requirements.intern(
        toNeed(submission, CONFIG.price_uait_per_million_units),
      ),
      priority: Math.floor(n / 7) % (MAX_PRIORITY + 1),
      max_attempts: 3,
      max_run_ms: 600_000,
      requested_at: now,
      expires_at: now + 900_000,
      unit_price: CONFIG.price_uait_per_million_units,
    };
  }

  async fill(jobs: number): Promise<void> {
    for (let stored = 0; stored < jobs; stored += FILL_BATCH) {
      const batch: NewJob[] = [];
      while (batch.length < Math.min(FILL_BATCH, jobs - stored)) batch.push(await this.#next());
      await this.#deps.store.operation(async (tx) => {
        await insertJobs(
          tx,
          batch.map((job) => ({ job, place: this.#fair.enter(job) })),
        );
      });
    }
  }

  /** Claims one job after the other; the times of the search alone and of the whole claim, in ms. */
  async claim(miner: MinerProfile): Promise<{ search: number[]; claim: number[] }> {
    const times = { search: [] as number[], claim: [] as number[] };
    const own = this.#fair.choiceFor(this.#fair.beginClaim(), () => false);
    const choice = new ClaimsUnderWay().amongOthers(own);
    for (let index = 0; index < WARM_UP_CLAIMS + CLAIMS; index++) {
      const began = performance.now();
      const { head } = await findNext(this.#deps.store.db, this.#requirements.eligible(miner), choice);
      const found = performance.now();
      if (!head) throw new Error("no job for the miner");
      const claimed = await this.#claim(head.job_id);
      if (!claimed) throw new Error("the job was gone");
      this.#fair.serve(claimed.place);
      if (index >= WARM_UP_CLAIMS) {
        times.search.push(found - began);
        times.claim.push(performance.now() - began);
      }
      await this.#replace(miner);
    }
    return times;
  }

  /** Adds a job that the miner has the model for. */
  async #replace({ capabilities }: MinerProfile): Promise<void> {
    const names = new Set(capabilities.models.map(({ name }) => name));
    while (!names.has(modelName(this.#modelOf(this.#jobs)))) this.#jobs++;
    await this.fill(1);
  }

  #claim(jobId: string): Promise<Claimed | undefined> {
    const { store, clock, meters } = this.#deps;
    const request = {
      minerId: "ait1bench",
      models: [{ name: modelName(0), features: ["text"], context_tokens: 4096 }],
      digestOf: () => "",
      meters,
      instance: "bench",
      coordinatorId: "ait1bench",
      maxOutputBytes: CONFIG.max_output_bytes,
      now: clock.now(),
      nonce: "00112233445566778899aabbccddeeff",
    };
    return claimJob(store, jobId, request);
  }
}

interface Times {
  readonly search: number;
  readonly claim: number;
}

function measureQueue(jobs: number, modelOf: ModelOf, models: readonly number[]): Promise<Times> {
  return withDirectory(async (directory) => {
    await using store = await openCoordinatorDatabase(directory, undefined, true);
    const queue = new Queue(createDeps(store, directory), modelOf);
    await queue.fill(jobs);
    const { search, claim } = await queue.claim(minerWith(models));
    return { search: median(search), claim: median(claim) };
  });
}

const micro = (ms: number): string => `${(ms * 1000).toFixed(0)} µs`;

/** How much longer a claim takes in a long queue than in a short one. */
export async function measureClaim(_plan: Plan): Promise<Result[]> {
  const results: Result[] = [];
  const all = Array.from({ length: MODELS }, (_, index) => index);
  for (const [what, modelOf, models] of [
    ["the miner has all 50 models", evenly, all],
    ["the miner has one model of 50", evenly, [0]],
    ["99 % need a model that the miner lacks", rarely, [0]],
  ] as const) {
    const few = await measureQueue(FEW_JOBS, modelOf, models);
    const many = await measureQueue(MANY_JOBS, modelOf, models);
    const row = (name: string, a: number, b: number): Result => ({
      what: `${name}, 1M queued to 1k; ${what}`,
      unit: "×",
      value: b / a,
      runs: [b / a],
      target: { atMost: 2 },
      note: `${micro(a)} → ${micro(b)}`,
    });
    results.push(row("claim", few.claim, many.claim), row("its search", few.search, many.search));
  }
  return results;
}
