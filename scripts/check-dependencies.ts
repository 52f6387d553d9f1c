/**
 * Checks the direction of imports in the current directory's src, test and scripts by `.dependency-cruiser.mjs`.
 * `--config FILE` takes other rules. Exit code 1 when a rule is broken, or when a file was not looked at.
 */
import { existsSync, globSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { cruise, type ICruiseResult } from "dependency-cruiser";
import extractDepcruiseOptions from "dependency-cruiser/config-utl/extract-depcruise-options";

const FOLDERS = ["src", "test", "scripts"];

const { values } = parseArgs({
  options: {
    config: { type: "string", default: resolve(import.meta.dirname, "..", ".dependency-cruiser.mjs") },
  },
});

async function cruiseFolders(folders: readonly string[]): Promise<ICruiseResult> {
  const options = await extractDepcruiseOptions(resolve(values.config));
  const { output } = await cruise([...folders], options);
  // Without an outputType the library returns its result as an object, not as a report's text.
  if (typeof output === "string") throw new Error(`unexpected report: ${output}`);
  return output;
}

const folders = FOLDERS.filter((folder) => existsSync(folder));
const result = await cruiseFolders(folders);

const violations = result.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
for (const line of violations) console.log(line);

// With a TypeScript that it does not know, dependency-cruiser looks at no module and is content.
const cruised = new Set(result.modules.map(({ source }) => source));
const sources = folders.flatMap((folder) => globSync(`${folder}/**/*.ts`));
const unseen = sources.filter((file) => !cruised.has(file));
for (const file of unseen) console.log(`not-cruised: ${file}`);

console.log(
  `${sources.length - unseen.length} of ${sources.length} modules, ${violations.length} violations`,
);
process.exitCode = violations.length === 0 && unseen.length === 0 && sources.length > 0 ? 0 : 1;
