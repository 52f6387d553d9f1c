import { describe, expect, it } from "vitest";
import { type CoordinatorStore, openCoordinatorStore } from "../../../test/harness/coordinator-store.ts";
import { JobListQuery } from "../../wire/job-lists.ts";
import { listJobs, SCAN_BOUND, TEXT_SCAN_BOUND, TOTAL_BOUND } from "./job-lists.ts";
import { insertJobs } from "./store/jobs.ts";

const COUNT = TOTAL_BOUND + 30;
const idOf = (index: number): string => index.toString(16).padStart(32, "0");

/** Only the oldest job asks for the rare model, and has a rare word in its prompt. */
async function fill(store: CoordinatorStore): Promise<void> {
  for (let from = 0; from < COUNT; from += 1000) {
    await store.operation(async (tx) => {
      for (let index = from; index < Math.min(from + 1000, COUNT); index++) {
        const job = {
          job_id: idOf(index),
          client_id: index % 2 === 0 ? "even" : "odd",
          kind: "inference",
          model: index === 0 ? "rare" : "common",
          payload: JSON.stringify({ prompt: index === 0 ? "a needle" : "hay", type: "inference" }),
          constraints: "{}",
          requirement_id: 1,
          priority: 1,
          max_attempts: 3,
          max_run_ms: 1,
          requested_at: index,
          expires_at: 1e12,
          unit_price: 1,
        };
        await insertJobs(tx, [{ job, place: { client_number: 0, order_key: index } }]);
      }
    });
  }
}

const query = (members: object = {}): JobListQuery => JobListQuery.parse(members);

describe("a long list of jobs", () => {
  it("is counted and looked through in bounded parts, by ranges of indexes", async () => {
    const store = await openCoordinatorStore();
    await fill(store);

    const all = await listJobs(store, undefined, query());
    expect(all).toMatchObject({ total: TOTAL_BOUND, total_is_lower_bound: true });
    expect(all.rows[0]?.job_id).toBe(idOf(COUNT - 1));
    const half = await listJobs(store, "even", query());
    expect(half).toMatchObject({ total: COUNT / 2, total_is_lower_bound: false });

    await expectFoundByCursor(store, { model: "rare" }, SCAN_BOUND);
    await expectFoundByCursor(store, { text: "needle" }, TEXT_SCAN_BOUND);

    const page = "from coordinator_job where client_id = 'x' and job_id < 'y' order by job_id desc limit 5";
    const plan = store.witness.prepare(`explain query plan select * ${page}`).all() as { detail: string }[];
    expect(plan.map(({ detail }) => detail)).toEqual([
      "SEARCH coordinator_job USING INDEX coordinator_job_client (client_id=? AND job_id<?)",
    ]);
  });
});

/** The oldest job alone fits: each call looks through `bound` jobs and tells where the next one goes on. */
async function expectFoundByCursor(store: CoordinatorStore, filter: object, bound: number): Promise<void> {
  let page = await listJobs(store, undefined, query(filter));
  expect(page).toMatchObject({ rows: [], total: 0, total_is_lower_bound: true });
  expect(page.next_cursor).toBe(idOf(COUNT - bound));
  let calls = 1;
  while (page.rows.length === 0 && page.next_cursor !== null) {
    page = await listJobs(store, undefined, query({ ...filter, cursor: page.next_cursor }));
    calls++;
  }
  expect(page.rows.map(({ job_id }) => job_id)).toEqual([idOf(0)]);
  expect(page.next_cursor).toBeNull();
  expect(calls).toBe(Math.ceil(COUNT / bound));
}
