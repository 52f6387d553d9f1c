import { AppError, isErrorCode } from "../kernel/errors.ts";
import { ok, type Router } from "../kernel/http/router.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Access, Principal } from "../wire/access.ts";
import { ROUTES } from "../wire/routes.ts";
import {
  getDocs,
  getErrorPage,
  getHealth,
  getMetrics,
  getOpenApi,
  getReady,
  getRoot,
} from "../wire/system.ts";

/** What the system's own routes tell. */
export interface SystemInfo {
  readonly env: string;
  readonly version: string;
  readonly roles: readonly string[];
  readonly metrics: Metrics;
  /** Parts of the daemon that are not ready. */
  waitingFor(): readonly string[];
}

/** The OpenAPI document is built when somebody asks: it costs start-up time that most starts do not need. */
async function loadOpenApi(version: string): Promise<object> {
  const { createOpenApi } = await import("../wire/openapi.ts");
  return createOpenApi(ROUTES, version);
}

/** Health, readiness, metrics, and the description of the interface. */
export function addSystemRoutes(router: Router<Access, Principal>, info: SystemInfo): void {
  const { env, version, roles, metrics } = info;
  router.on(getRoot, async () => {
    const { rootPage } = await import("./docs.ts");
    return rootPage(version, roles);
  });
  router.on(getHealth, () => ok({ status: "ok", env, version, roles }));
  router.on(getReady, () => {
    const waiting_for = info.waitingFor();
    return waiting_for.length === 0
      ? ok({ status: "ready" })
      : { status: 503, json: { status: "not_ready", waiting_for } };
  });
  router.on(getMetrics, async () => ({
    status: 200,
    text: await metrics.render(),
    headers: { "content-type": metrics.contentType },
  }));
  router.on(getOpenApi, async () => ok(await loadOpenApi(version)));
  router.on(getDocs, async () => {
    const { docsPage } = await import("./docs.ts");
    return docsPage(ROUTES, await loadOpenApi(version));
  });
  router.on(getErrorPage, async ({ params }) => {
    if (!isErrorCode(params.code)) throw new AppError("ROUTE_NOT_FOUND", "there is no such error code");
    const { errorPage } = await import("./docs.ts");
    return errorPage(params.code);
  });
}
