import { ok, type Router } from "../../../kernel/http/router.ts";
import type { Access, Principal } from "../../../wire/access.ts";
import { deleteFile, getFile, getFileContent, listFiles, uploadFile } from "../../../wire/openai/files.ts";
import type { Files } from "./files.ts";
import { checkFormHeaders } from "./form.ts";

/** The routes of files. `assertFree` throws while a batch works on one. */
export function addFileRoutes(
  router: Router<Access, Principal>,
  files: Files,
  assertFree: (fileId: string) => Promise<void>,
): void {
  router.on(uploadFile, async ({ principal, headers, openStream }) => {
    const type = checkFormHeaders(headers["content-type"], headers["content-length"]);
    return ok(await files.upload(principal, type, openStream()));
  });
  router.on(listFiles, async ({ principal, query }) => ok(await files.list(principal, query)));
  router.on(getFile, async ({ principal, params }) => ok(await files.get(principal, params.file_id)));
  router.on(getFileContent, async ({ principal, params }) => {
    const { file, content } = await files.open(principal, params.file_id);
    return new Response(content.read({ start: 0, end: content.sizeBytes }), {
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(content.sizeBytes),
        etag: `"${file.sha256}"`,
        "cache-control": "private, no-cache",
        // Somebody else's page must not run in the console's name.
        "content-disposition": `attachment; filename*=UTF-8''${encodeName(file.filename)}`,
        "content-security-policy": "sandbox",
      },
    });
  });
  router.on(deleteFile, async ({ principal, params: { file_id } }) => {
    const { file_id: id } = await files.find(principal, file_id);
    await assertFree(id);
    await files.delete(principal, id);
    return ok({ id, object: "file", deleted: true });
  });
}

/** RFC 8187. */
function encodeName(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
