import { eventStreamResponse, type ServerSentEvent } from "../../kernel/http/event-stream.ts";
import { ok, type Router } from "../../kernel/http/router.ts";
import type { Access, Principal } from "../../wire/access.ts";
import { DEADLINE_HEADER, toDeadlineSeconds } from "../../wire/deadline.ts";
import { explainJob } from "../../wire/explain.ts";
import {
  cancelJob,
  deleteJob,
  getJob,
  getJobEvents,
  getJobReceipt,
  getJobResult,
  listJobReceipts,
  submitJob,
} from "../../wire/jobs.ts";
import { minerSession } from "../../wire/session.ts";
import { addAdminRoutes, addJobListRoutes } from "./admin-routes.ts";
import { addArtifactRoutes } from "./artifacts/routes.ts";
import type { StreamItem } from "./events.ts";
import { toIdempotency } from "./intake.ts";
import { addKeylessRoutes, addMinerAccountRoutes } from "./keyless-routes.ts";
import type { Coordinator } from "./service.ts";

/** The coordinator's routes. */
export function addCoordinatorRoutes(router: Router<Access, Principal>, coordinator: Coordinator): void {
  router.on(submitJob, async ({ principal, body, bodyText, headers }) => {
    const key = toIdempotency(headers["idempotency-key"], submitJob.method, submitJob.path, bodyText);
    const deadline = body.deadline_seconds ?? toDeadlineSeconds(headers[DEADLINE_HEADER]);
    const submission = deadline === undefined ? body : { ...body, deadline_seconds: deadline };
    const { status, text, replayed } = await coordinator.submit(principal, submission, key);
    return { status, text, headers: replayed ? { "idempotent-replayed": "true" } : {} };
  });
  addJobListRoutes(router, coordinator);
  router.on(getJob, async ({ principal, params }) => ok(await coordinator.view(principal, params.job_id)));
  router.on(explainJob, async ({ principal, params }) =>
    ok(await coordinator.explain(principal, params.job_id)),
  );
  router.on(getJobResult, async ({ principal, params }) =>
    ok(await coordinator.result(principal, params.job_id)),
  );
  for (const contract of [cancelJob, deleteJob]) {
    router.on(contract, async ({ principal, params }) =>
      ok(await coordinator.cancel(principal, params.job_id)),
    );
  }
  router.on(getJobEvents, async ({ principal, params, headers, signal }) => {
    const abort = new AbortController();
    const after = Number(headers["last-event-id"] ?? 0);
    const source = await coordinator.events(
      principal,
      params.job_id,
      after,
      AbortSignal.any([abort.signal, signal]),
    );
    if (!source) return new Response(null, { status: 204 });
    return eventStreamResponse(toServerSent(source), () => abort.abort());
  });
  router.on(getJobReceipt, async ({ principal, params }) =>
    ok(await coordinator.receipt(principal, params.job_id)),
  );
  router.on(listJobReceipts, async ({ principal, params, query }) =>
    ok(await coordinator.receipts(principal, params.job_id, Number(query.cursor ?? 0), query.limit)),
  );
  addArtifactRoutes(router, coordinator.artifacts);
  addKeylessRoutes(router, coordinator);
  addAdminRoutes(router, coordinator);
  router.socket(
    minerSession,
    ({ principal: { key_id } }) =>
      (channel) =>
        coordinator.acceptMiner(key_id, channel),
  );
  addMinerAccountRoutes(router, coordinator);
}

async function* toServerSent(
  source: AsyncGenerator<StreamItem, void, void>,
): AsyncGenerator<ServerSentEvent | "keep-alive", void, void> {
  for await (const item of source) {
    if (item === "keep-alive") yield item;
    else yield { event: item.event, ...("id" in item && { id: item.id }), data: JSON.stringify(item.data) };
  }
}
