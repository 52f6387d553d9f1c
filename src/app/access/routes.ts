import { ok, type Router } from "../../kernel/http/router.ts";
import type { Access, Principal } from "../../wire/access.ts";
import { createKey, listKeys, revokeKey } from "../../wire/system.ts";
import type { AccessService } from "./service.ts";

/** The routes of API keys. */
export function addKeyRoutes(router: Router<Access, Principal>, access: AccessService): void {
  router.on(createKey, async ({ body }) => ({
    status: 201,
    json: await access.create(body.kind, body.name),
  }));
  router.on(listKeys, () => ok({ items: access.list() }));
  router.on(revokeKey, async ({ params }) => ok(await access.revoke(params.key_id)));
}
