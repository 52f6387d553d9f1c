import { ROUTES } from "../wire/routes.ts";

/** The prefix under which routes are declared. */
const VERSION = "/v1";
/** The prefix that some existing clients put in front of it. */
const API = "/api";

/** First parts of the paths under `/v1`: existing clients also call these without any prefix. */
const BARE: ReadonlySet<string> = new Set(
  ROUTES.flatMap(({ path }) => (path.startsWith(`${VERSION}/`) ? [path.split("/")[2] ?? ""] : [])),
);

/**
 * The path that a request means: existing clients mix `/v1/jobs`, `/api/v1/jobs` and `/jobs`, and one router
 * answers all three.
 */
export function toCanonicalPath(path: string): string {
  if (path.startsWith(`${API}${VERSION}/`)) return path.slice(API.length);
  const end = path.indexOf("/", 1);
  const first = path.slice(1, end === -1 ? undefined : end);
  return BARE.has(first) ? VERSION + path : path;
}
