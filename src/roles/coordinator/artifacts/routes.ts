import { ok, type Router } from "../../../kernel/http/router.ts";
import type { Access, Principal } from "../../../wire/access.ts";
import {
  deleteArtifact,
  digestOf,
  getArtifact,
  listArtifacts,
  postArtifact,
  putArtifact,
} from "../../../wire/artifacts.ts";
import type { Artifacts } from "./artifacts.ts";
import { parseRange } from "./range.ts";

const CREATED = 201;
const OK = 200;
const PARTIAL = 206;
const NOT_MODIFIED = 304;

/** A media type with parameters, as far as it can be sent back in a header. */
const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+(?: *; *[\w-]+=[\w.+"-]+)*$/;
const ANY_TYPE = "application/octet-stream";

/** The routes of artifacts. */
export function addArtifactRoutes(router: Router<Access, Principal>, artifacts: Artifacts): void {
  for (const contract of [putArtifact, postArtifact]) {
    router.on(contract, async ({ principal, headers, openStream }) => {
      const type = headers["content-type"] ?? ANY_TYPE;
      const length = headers["content-length"];
      const announced = {
        mediaType: MEDIA_TYPE.test(type) ? type : ANY_TYPE,
        sizeBytes: length === undefined ? undefined : Number(length),
        sha256: digestOf(headers["x-content-sha256"] ?? ""),
      };
      return { status: CREATED, json: await artifacts.put(principal, announced, openStream) };
    });
  }
  router.on(listArtifacts, async ({ principal, query }) =>
    ok(await artifacts.list(principal, digestOf(query.cursor ?? "") ?? "", query.limit)),
  );
  router.on(getArtifact, async ({ principal, params, headers }) => {
    const content = await artifacts.get(principal, params.sha256);
    const { sha256, size_bytes, media_type } = content;
    const etag = `"${sha256}"`;
    const common = { etag, "cache-control": "private, no-cache", "accept-ranges": "bytes" };
    if (headers["if-none-match"]?.includes(etag)) {
      return new Response(null, { status: NOT_MODIFIED, headers: common });
    }
    const isCurrent = (headers["if-range"] ?? etag) === etag;
    const range = isCurrent ? parseRange(headers.range, size_bytes) : undefined;
    const { start, end } = range ?? { start: 0, end: size_bytes };
    return new Response(content.read({ start, end }), {
      status: range ? PARTIAL : OK,
      headers: {
        ...common,
        "content-type": media_type,
        "content-length": String(end - start),
        ...(range && { "content-range": `bytes ${start}-${end - 1}/${size_bytes}` }),
        // Somebody else's page must not run in the console's name.
        "content-disposition": `attachment; filename="${sha256}"`,
        "content-security-policy": "sandbox",
      },
    });
  });
  router.on(deleteArtifact, async ({ principal, params }) =>
    ok(await artifacts.delete(principal, params.sha256)),
  );
}
