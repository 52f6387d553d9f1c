/** Writes protocols/openapi.json from the routes of src/wire; `--check` fails when the file is stale. */
import { createOpenApi } from "../src/wire/openapi.ts";
import { ROUTES } from "../src/wire/routes.ts";
import { writeOrCheck } from "./lib/generated.ts";
import { readPackageVersion } from "./lib/package.ts";

const document = createOpenApi(ROUTES, readPackageVersion());
writeOrCheck("protocols/openapi.json", `${JSON.stringify(document, null, 2)}\n`);
