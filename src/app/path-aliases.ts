/** The prefix under which routes are declared. */
const VERSION = "/v1";
/** The prefix that some existing clients put in front of it. */
const API = "/api";

/**
 * Finds the path that a request means: existing clients mix `/v1/jobs`, `/api/v1/jobs` and `/jobs`, and one router
 * answers all three.
 */
export function createPathAliases(routes: readonly { readonly path: string }[]): (path: string) => string {
  // First parts of the paths under `/v1`: existing clients also call these without any prefix.
  const bare: ReadonlySet<string> = new Set(
    routes.flatMap(({ path }) => (path.startsWith(`${VERSION}/`) ? [path.split("/")[2] ?? ""] : [])),
  );
  return (path) => {
    if (path.startsWith(`${API}${VERSION}/`)) return path.slice(API.length);
    const end = path.indexOf("/", 1);
    const first = path.slice(1, end === -1 ? undefined : end);
    return bare.has(first) ? VERSION + path : path;
  };
}
