import { randomUUID } from "node:crypto";
import type { BatchBounds } from "../../../src/kernel/db/database.ts";
import { check } from "../../../src/kernel/http/body.ts";
import { type Claimed, claimJob, prepareLease } from "../../../src/roles/coordinator/claim.ts";
import { ClaimsUnderWay } from "../../../src/roles/coordinator/claims-under-way.ts";
import type { TakenAtOnce } from "../../../src/roles/coordinator/dispatcher.ts";
import { FairShare } from "../../../src/roles/coordinator/fair-share.ts";
import { IdempotencyKeys } from "../../../src/roles/coordinator/idempotency-keys.ts";
import { openIdentity } from "../../../src/roles/coordinator/identity.ts";
import { Intake, toIdempotency } from "../../../src/roles/coordinator/intake.ts";
import { Lease } from "../../../src/roles/coordinator/lease.ts";
import { Leases } from "../../../src/roles/coordinator/leases.ts";
import { MinerHealth } from "../../../src/roles/coordinator/miner-health.ts";
import type { CoordinatorDeps } from "../../../src/roles/coordinator/ports.ts";
import { createQueueing } from "../../../src/roles/coordinator/queueing.ts";
import { Requirements } from "../../../src/roles/coordinator/requirements.ts";
import { Settlement } from "../../../src/roles/coordinator/settlement.ts";
import { endLease } from "../../../src/roles/coordinator/store/endings.ts";
import { findNext } from "../../../src/roles/coordinator/store/queue.ts";
import { Streams } from "../../../src/roles/coordinator/streams.ts";
import type { JobTable } from "../../../src/roles/coordinator/tables.ts";
import { JobSubmission, submitJob } from "../../../src/wire/jobs.ts";
import { measureRate } from "./callers.ts";
import { CONFIG, createDeps, ONE_BY_ONE, openCoordinatorDatabase } from "./coordinator.ts";
import { ANSWER, createMiner } from "./miner.ts";
import { ofRuns, type Plan, type Result } from "./result.ts";
import { median } from "./stats.ts";
import { BODY, MODEL, SUBMISSION } from "./submission.ts";
import { withDirectory } from "./temporary.ts";

const USAGE = { prompt_tokens: 60, completion_tokens: 20 };

/** A lease that is granted, as the coordinator knows it. */
type Granted = Omit<Claimed, "place">;

/** How a job comes to its miner. */
type Way =
  /** It waits, and the miner's search finds it. */
  | "queue"
  /** The miner has a slot free: the job is stored with its lease. */
  | "at once";

interface Bench {
  readonly deps: CoordinatorDeps;
  /** Submits a job and has it claimed, as intake and dispatcher do. */
  readonly begin: () => Promise<Granted>;
}

async function createBench(
  deps: CoordinatorDeps,
  coordinatorId: string,
  minerId: string,
  way: Way,
): Promise<Bench> {
  const { store } = deps;
  const requirements = new Requirements(store, deps.clock);
  await requirements.load();
  const queueing = createQueueing(deps, CONFIG, {
    requirements,
    health: new MinerHealth(deps.clock),
    leases: new Leases(),
    links: () => [],
    hasRoom() {},
  });
  const { fair } = queueing;
  const toRequest = () => ({
    minerId,
    models: [{ name: MODEL, features: ["text"], context_tokens: 4096 }],
    digestOf: () => "",
    meters: deps.meters,
    instance: "bench",
    coordinatorId,
    maxOutputBytes: CONFIG.max_output_bytes,
    now: deps.clock.now(),
    nonce: "00112233445566778899aabbccddeeff",
  });
  /** Leases of jobs that were stored with them, by job. */
  const taken = new Map<string, Granted>();
  const takeAtOnce = (job: JobTable): TakenAtOnce => {
    const { grant, ...lease } = prepareLease(job, toRequest());
    return { grant, offer() {}, end: (isStored) => void (isStored && taken.set(job.job_id, lease)) };
  };
  const intake = new Intake({
    ...deps,
    keys: new IdempotencyKeys(store),
    ...queueing,
    config: CONFIG,
    requirements,
    backlog: { queued: 0 },
    takeAtOnce: way === "at once" ? takeAtOnce : () => undefined,
  });
  const submit = async (): Promise<string> => {
    const key = toIdempotency(randomUUID(), submitJob.method, submitJob.path, BODY);
    const submission = check(JobSubmission, SUBMISSION, "body");
    const { text } = await intake.submit("client-bench", submission, key);
    // The coordinator has written it.
    return (JSON.parse(text) as { job_id: string }).job_id;
  };
  // All jobs here have the same needs: the class with the first id.
  const classes = [1];
  const choice = fair.choiceFor(fair.beginClaim(), () => false);
  const underWay = new ClaimsUnderWay();
  const claim = async (): Promise<Granted> => {
    for (;;) {
      const head = await underWay.search(async () => {
        const found = await findNext(store.db, classes, underWay.amongOthers(choice));
        return found.head && underWay.take(found.head) ? found.head : undefined;
      });
      if (!head) throw new Error("no job waits, though one was submitted");
      const claimed = await claimJob(store, head.job_id, toRequest());
      underWay.release(head.job_id);
      if (!claimed) continue;
      fair.serve(claimed.place);
      return claimed;
    }
  };
  const begin = async (): Promise<Granted> => {
    const jobId = await submit();
    const lease = taken.get(jobId);
    taken.delete(jobId);
    return lease ?? claim();
  };
  return { deps, begin };
}

/** Ends a lease with all that the store knows of it but a receipt. */
async function completeInStore({ deps }: Bench, { job, terms }: Granted): Promise<void> {
  const fence = { job_id: terms.job_id, token: terms.token };
  const now = deps.clock.now();
  const seq = job.last_seq + 1;
  const share = { ran_ms: 1, units: 20, price_uait: 4n };
  await deps.store.operation(endLease, {
    job: {
      ...fence,
      state: "COMPLETED",
      ran_ms: 1,
      delivered_bytes: ANSWER.length,
      last_seq: seq,
      settled_units: share.units,
      price_uait: share.price_uait,
      completed_at: now,
      finish_reason: "stop",
      usage: JSON.stringify(USAGE),
      error: null,
    },
    portion: { ...fence, chunks: [{ seq, start_byte: 0, text: ANSWER }], progress: null },
    answer: undefined,
    segment: { end_byte: ANSWER.length, ended_at: now, outcome: "completed", receipt_id: null },
    receipt: undefined,
    again: undefined,
    totals: {
      miner: { ...share, miner_id: "", completed: 1, failed: 0, canceled: 0, receipt_id: null },
      day: { at: now, state: "COMPLETED", lease: share },
    },
  });
}

/** Whole lives of jobs a second: submitted, claimed, completed, each acknowledged before the next. */
function measureOnce(seconds: number, withReceipt: boolean, way: Way, batch?: BatchBounds): Promise<number> {
  return withDirectory(async (directory) => {
    await using store = await openCoordinatorDatabase(directory, batch);
    const deps = createDeps(store, directory);
    const miner = createMiner();
    const identity = await openIdentity(deps.identityFile, deps.random);
    const bench = await createBench(deps, identity.id, miner.id, way);
    const leases = new Leases();
    const settlement = new Settlement({
      ...deps,
      identity,
      streams: new Streams(),
      leases,
      backlog: { queued: 0 },
      health: new MinerHealth(deps.clock),
      fair: new FairShare(store, CONFIG),
      requirements: new Requirements(store, deps.clock),
      onUnsettled() {},
    });
    const completeWithReceipt = async (claimed: Granted): Promise<void> => {
      const lease = toLease(deps, claimed);
      leases.add(lease);
      lease.accept(ANSWER, ANSWER.length);
      const receipt = await miner.signReceipt(claimed);
      await settlement.complete(lease, { finish_reason: "stop", usage: USAGE, receipt }, miner.publicKey);
    };
    const live = async (): Promise<void> => {
      const claimed = await bench.begin();
      await (withReceipt ? completeWithReceipt(claimed) : completeInStore(bench, claimed));
    };
    return await measureRate(seconds, live);
  });
}

function toLease({ clock }: CoordinatorDeps, { job, terms, termsHash, meter, prefix }: Granted): Lease {
  const grantedAt = clock.monotonic();
  const never = Number.POSITIVE_INFINITY;
  const deadlines = { grantedAt, expiresAt: never, deadlineAt: never };
  return new Lease({ job, terms, termsHash, meter, prefix, payout: null, ...deadlines });
}

/** Submit, claim and complete: the store's part alone, and with everything that is signed. */
export async function measureLifecycle({ seconds, runs }: Plan): Promise<Result[]> {
  const results: Result[] = [];
  for (const [withReceipt, way, what, atLeast] of [
    [false, "at once", "submit, claim, complete: store only", 6_000],
    [false, "queue", "the same through the queue", 6_000],
    [true, "at once", "submit, claim, complete: receipt signed, verified, attested", 2_500],
    [true, "queue", "the same through the queue", 2_500],
  ] as const) {
    const grouped: number[] = [];
    const single: number[] = [];
    for (let run = 0; run < runs; run++) {
      grouped.push(await measureOnce(seconds, withReceipt, way));
      single.push(await measureOnce(seconds, withReceipt, way, ONE_BY_ONE));
    }
    results.push(ofRuns(grouped, { what, unit: "/s", target: { atLeast }, baseline: median(single) }));
  }
  return results;
}
