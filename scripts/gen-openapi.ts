/**
 * Writes protocols/openapi.json and protocols/wallet-openapi.json from the routes of src/wire; `--check` fails when
 * a file is stale.
 */
import { createOpenApi, createWalletOpenApi } from "../src/wire/openapi.ts";
import { ROUTES } from "../src/wire/routes.ts";
import { WALLET_ROUTES } from "../src/wire/wallet/routes.ts";
import { writeOrCheck } from "./lib/generated.ts";
import { readPackageVersion } from "./lib/package.ts";

const version = readPackageVersion();
const write = (path: string, document: object): void =>
  writeOrCheck(path, `${JSON.stringify(document, null, 2)}\n`);
write("protocols/openapi.json", createOpenApi(ROUTES, version));
write("protocols/wallet-openapi.json", createWalletOpenApi(WALLET_ROUTES, version));
