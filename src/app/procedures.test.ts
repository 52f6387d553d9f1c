import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { ProcedureGroup } from "../kernel/db/procedures.ts";
import { coordinatorProcedures } from "../roles/coordinator/procedures.ts";
import { gatewayProcedures } from "../roles/gateway/procedures.ts";
import { walletProcedures } from "../roles/wallet/procedures.ts";
import { accessProcedures } from "./access/procedures.ts";
import { createProcedures } from "./procedures.ts";
import { reindexTable } from "./reindex.ts";

const SRC = resolve(import.meta.dirname, "..");

/** What each folder writes. */
const GROUPS: readonly [folder: string, role: string, group: ProcedureGroup][] = [
  ["app/access", "access", accessProcedures],
  ["app", "app", { reindexTable }],
  ["roles/coordinator", "coordinator", coordinatorProcedures],
  ["roles/gateway", "gateway", gatewayProcedures],
  ["roles/wallet", "wallet", walletProcedures],
];

/** Hands on what others have run. */
const HANDED_ON = "app/store.ts";

/** Names of what a folder's code has run as operations, as it is written there. */
function listOperations(folder: string): string[] {
  const deeper = GROUPS.map(([other]) => other).filter((other) => other.startsWith(`${folder}/`));
  return globSync("**/*.ts", { cwd: join(SRC, folder) })
    .map((name) => `${folder}/${name}`)
    .filter((path) => path !== HANDED_ON && !path.endsWith(".test.ts"))
    .filter((path) => !deeper.some((other) => path.startsWith(`${other}/`)))
    .flatMap((path) => [
      ...readFileSync(join(SRC, path), "utf8").matchAll(/\.operation\(\s*(\w+(?=\s*[,)])|[^,)]*)/g),
    ])
    .map((call) => call[1] ?? "");
}

describe("procedures", () => {
  it.each(GROUPS)("of %s are what its code runs as operations, no more and no less", (folder, _, group) => {
    expect([...new Set(listOperations(folder))].sort()).toEqual(Object.keys(group).sort());
  });

  it("are known to the daemon under their own names, each once", () => {
    const procedures = createProcedures();
    const bodies = GROUPS.flatMap(([, role, group]) =>
      Object.entries(group).map(([name, procedure]) => {
        const body = typeof procedure === "function" ? procedure : procedure.body;
        return { name: `${role}/${name}`, own: body.name, body };
      }),
    );
    expect(new Set(bodies.map(({ body }) => body)).size).toBe(bodies.length);
    for (const { name, own, body } of bodies) {
      expect(name.endsWith(`/${own}`)).toBe(true);
      expect(procedures.nameOf(body)).toBe(name);
      expect(procedures.get(name)).toBe(body);
    }
  });

  it("are all that an operation may run", () => {
    const unnamed = async (): Promise<void> => {};
    expect(() => createProcedures().nameOf(unnamed)).toThrow("unnamed is no procedure");
    expect(() => createProcedures().get("wallet/unnamed")).toThrow("no procedure wallet/unnamed");
  });
});
