import { readFileSync } from "node:fs";
import { resolve } from "node:path";

/** The version in package.json. */
export function readPackageVersion(): string {
  const file = resolve(import.meta.dirname, "../../package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}
