import { sha256Hex } from "../../../crypto/hash.ts";
import { ok, type Router } from "../../../kernel/http/router.ts";
import type { Access, Principal } from "../../../wire/access.ts";
import { cancelBatch, createBatch, getBatch, listBatches } from "../../../wire/openai/batches.ts";
import type { Batches } from "./batches.ts";

/** The routes of batches. */
export function addBatchRoutes(router: Router<Access, Principal>, batches: Batches): void {
  router.on(createBatch, async ({ principal, body, bodyText, headers }) => {
    const facts = { idempotencyKey: headers["idempotency-key"], bodySha256: sha256Hex(bodyText) };
    return ok(await batches.create(principal, body, facts));
  });
  router.on(listBatches, async ({ principal, query }) => ok(await batches.list(principal, query)));
  router.on(getBatch, async ({ principal, params }) => ok(await batches.get(principal, params.batch_id)));
  router.on(cancelBatch, async ({ principal, params }) =>
    ok(await batches.cancel(principal, params.batch_id)),
  );
}
