import { randomUUID } from "node:crypto";
import { check } from "../../../src/kernel/http/body.ts";
import { toIdempotency } from "../../../src/roles/coordinator/intake.ts";
import { Coordinator } from "../../../src/roles/coordinator/service.ts";
import { JobSubmission, submitJob } from "../../../src/wire/jobs.ts";
import { CALLERS, measureRate } from "./callers.ts";
import { CONFIG, createDeps, ONE_BY_ONE, openCoordinatorDatabase } from "./coordinator.ts";
import { ofRuns, type Plan, type Result } from "./result.ts";
import { median } from "./stats.ts";
import { BODY, SUBMISSION } from "./submission.ts";
import { withDirectory } from "./temporary.ts";

const CLIENT = { key_id: "bench", kind: "client", owner_id: "client-bench" } as const;

/** Submissions a second: checked, with a new Idempotency-Key each, until the promise resolves. */
function measureOnce(seconds: number, batch?: typeof ONE_BY_ONE): Promise<number> {
  return withDirectory(async (directory) => {
    await using store = await openCoordinatorDatabase(directory, batch);
    const service = new Coordinator(createDeps(store, directory), CONFIG);
    await service.start();
    const rate = await measureRate(seconds, () => {
      const key = toIdempotency(randomUUID(), submitJob.method, submitJob.path, BODY);
      return service.submit(CLIENT, check(JobSubmission, SUBMISSION, "body"), key);
    });
    await service.stop();
    return rate;
  });
}

/** Durable submissions in this process. */
export async function measureSubmit({ seconds, runs }: Plan): Promise<Result[]> {
  const grouped: number[] = [];
  const single: number[] = [];
  for (let run = 0; run < runs; run++) {
    grouped.push(await measureOnce(seconds));
    single.push(await measureOnce(seconds, ONE_BY_ONE));
  }
  return [
    ofRuns(grouped, {
      what: `durable submit, in process, ${CALLERS} callers`,
      unit: "/s",
      target: { atLeast: 25_000 },
      baseline: median(single),
    }),
  ];
}
