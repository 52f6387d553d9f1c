import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface BuildInfo {
  /** Version of the package. */
  readonly version: string;
  /** Git commit of the build, with `-dirty` where files were changed; null outside a build. */
  readonly commit: string | null;
}

/** Put in place by the build (`define` in esbuild.config.ts). */
declare const AITBC_BUILD: BuildInfo | undefined;

/** Which program this is. */
export function readBuildInfo(): BuildInfo {
  if (typeof AITBC_BUILD !== "undefined") return AITBC_BUILD;
  const text = readFileSync(join(import.meta.dirname, "../../package.json"), "utf8");
  return { version: (JSON.parse(text) as { version: string }).version, commit: null };
}
