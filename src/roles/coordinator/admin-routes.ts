import { ok, type Router } from "../../kernel/http/router.ts";
import type { Access, Principal } from "../../wire/access.ts";
import {
  activateMiner,
  deactivateMiner,
  deleteAdminJob,
  getAdminJob,
  getAdminMiner,
  getAdminStats,
  getAdminStatus,
  getAnalytics,
  getStatus,
  listAdminJobs,
  listAdminMiners,
  prioritizeJob,
  runCleanup,
} from "../../wire/admin.ts";
import { listJobHistory, listJobs } from "../../wire/job-lists.ts";
import {
  createTemplate,
  deleteTemplate,
  getTemplate,
  listTemplates,
  submitTemplate,
} from "../../wire/templates.ts";
import { toIdempotency } from "./intake.ts";
import type { Coordinator } from "./service.ts";

/** Lists of jobs and templates. Their paths begin like those of single jobs, so they come before them. */
export function addJobListRoutes(router: Router<Access, Principal>, coordinator: Coordinator): void {
  const { templates } = coordinator;
  for (const contract of [listJobs, listJobHistory]) {
    router.on(contract, async ({ principal, query }) => ok(await coordinator.list(principal, query)));
  }
  router.on(createTemplate, async ({ principal, body }) => ({
    status: 201,
    json: await templates.create(principal.owner_id, body.name, body.submission),
  }));
  router.on(listTemplates, async ({ principal }) => ok({ items: await templates.list(principal.owner_id) }));
  router.on(getTemplate, async ({ principal, params }) =>
    ok(await templates.get(principal.owner_id, params.name)),
  );
  router.on(deleteTemplate, async ({ principal, params }) =>
    ok(await templates.delete(principal.owner_id, params.name)),
  );
  router.on(submitTemplate, async ({ principal, params, body, bodyText, headers }) => {
    const submission = await templates.fill(principal.owner_id, params.name, body.variables);
    const path = submitTemplate.path.replace(":name", params.name);
    const key = toIdempotency(headers["idempotency-key"], submitTemplate.method, path, bodyText);
    const { status, text, replayed } = await coordinator.submit(principal, submission, key);
    return { status, text, headers: replayed ? { "idempotent-replayed": "true" } : {} };
  });
}

/** What administrators may do with jobs and miners. */
export function addAdminRoutes(router: Router<Access, Principal>, coordinator: Coordinator): void {
  const { admin } = coordinator;
  router.on(getAdminStats, async () => ok(await admin.stats()));
  for (const contract of [getAdminStatus, getStatus])
    router.on(contract, async () => ok(await admin.status()));
  router.on(listAdminJobs, async ({ query }) => ok(await admin.jobs(query)));
  router.on(getAdminJob, async ({ principal, params: { job_id } }) =>
    ok({ ...(await coordinator.view(principal, job_id)), client_id: await admin.clientOf(job_id) }),
  );
  router.on(deleteAdminJob, async ({ principal, params }) =>
    ok(await coordinator.cancel(principal, params.job_id)),
  );
  router.on(prioritizeJob, async ({ params, body }) =>
    ok(await admin.prioritize(params.job_id, body.reason)),
  );
  router.on(listAdminMiners, async ({ query }) => ok(await admin.miners(query.limit, query.offset)));
  router.on(getAdminMiner, async ({ params }) => ok(await admin.miner(params.miner_id)));
  router.on(activateMiner, async ({ params }) => ok(await admin.setActive(params.miner_id, true)));
  router.on(deactivateMiner, async ({ params }) => ok(await admin.setActive(params.miner_id, false)));
  router.on(getAnalytics, async ({ query }) => ok(await admin.analytics(query.days)));
  router.on(runCleanup, async () => {
    await coordinator.tidy();
    return ok({ status: "ok" });
  });
}
