import { resolve } from "node:path";
import extractDepcruiseOptions from "dependency-cruiser/config-utl/extract-depcruise-options";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CheckResult, PlantedTree } from "./planted-tree.ts";

/** One breach of each rule: rule, importing file, imported file or package. `@` becomes the kind of import. */
const BREACHES = [
  ["layer-main", "src/main.ts", "src/config/index.ts"],
  ["layer-cli", "src/cli/breach-@.ts", "src/main.ts"],
  ["layer-cli", "src/cli/console-@.ts", "src/console/index.ts"],
  ["layer-app", "src/app/access/breach-@.ts", "src/cli/program.ts"],
  ["layer-config", "src/config/breach-@.ts", "src/wire/jobs.ts"],
  ["layer-config", "src/config/app-@.ts", "src/app/daemon.ts"],
  ["layer-client", "src/client/breach-@.ts", "src/roles/hub/index.ts"],
  ["layer-client", "src/client/config-@.ts", "src/config/index.ts"],
  ["layer-roles", "src/roles/miner/breach-@.ts", "src/app/daemon.ts"],
  ["layer-roles", "src/roles/miner/config-@.ts", "src/config/index.ts"],
  ["layer-roles", "src/roles/miner/client-@.ts", "src/client/index.ts"],
  ["layer-console", "src/console/breach-@.ts", "src/kernel/clock.ts"],
  ["layer-wire", "src/wire/breach-@.ts", "src/roles/hub/index.ts"],
  ["layer-domain", "src/domain/job/wire-@.ts", "src/wire/jobs.ts"],
  ["layer-domain", "src/domain/job/clock-@.ts", "src/kernel/clock.ts"],
  ["layer-domain", "src/domain/job/clock-@.test.ts", "src/kernel/clock.ts"],
  ["layer-crypto", "src/crypto/breach-@.ts", "src/domain/job/state.ts"],
  ["layer-kernel", "src/kernel/breach-@.ts", "src/crypto/hash.ts"],
  ["known-layer", "src/elsewhere/breach-@.ts", "src/kernel/clock.ts"],
  ["role-to-role", "src/roles/miner/index-@.ts", "src/roles/hub/index.ts"],
  ["role-to-role", "src/roles/miner/inside-@.ts", "src/roles/hub/store.ts"],
  ["role-door", "src/app/door-@.ts", "src/roles/hub/store.ts"],
  ["role-door", "src/config/door-@.ts", "src/roles/hub/config.ts"],
  ["role-procedures", "src/cli/procedures-@.ts", "src/roles/hub/procedures.ts"],
  ["domain-is-pure", "src/domain/job/node-@.ts", "node:fs"],
  ["domain-is-pure", "src/domain/job/package-@.ts", "zod"],
  ["no-scripts", "src/kernel/script-@.ts", "scripts/build.ts"],
  ["no-scripts", "test/flows/script-@.ts", "scripts/build.ts"],
  ["no-test-in-product", "src/kernel/harness-@.ts", "test/harness/index.ts"],
  ["no-test-in-product", "src/kernel/test-@.ts", "src/kernel/clock.test.ts"],
  ["harness-only", "src/kernel/flow-@.test.ts", "test/flows/job.ts"],
  ["no-development-package", "src/kernel/development-@.ts", "vitest"],
  ["no-development-package", "src/kernel/undeclared-@.ts", "nanoid"],
  ["resolvable", "src/kernel/nowhere-@.ts", "./does-not-exist.ts"],
  ["no-cycle", "src/kernel/circle-@-a.ts", "src/kernel/circle-@-b.ts"],
] as const;

/** The imports that the layout is made of; none may be reported. */
const CLEAN = [
  ["src/main.ts", "src/cli/program.ts"],
  ["src/cli/program.ts", "src/client/index.ts"],
  ["src/cli/commands/serve.ts", "src/app/daemon.ts"],
  ["src/cli/commands/config.ts", "src/config/index.ts"],
  ["src/app/daemon.ts", "src/roles/miner/index.ts"],
  ["src/app/access/keys.ts", "src/kernel/ids.ts"],
  ["src/config/schema.ts", "src/roles/miner/index.ts"],
  ["src/client/index.ts", "src/wire/jobs.ts"],
  ["src/roles/miner/index.ts", "src/roles/miner/service.ts"],
  ["src/roles/miner/store.ts", "src/domain/job/state.ts"],
  ["src/wire/jobs.ts", "src/domain/job/state.ts"],
  ["src/domain/job/transition.ts", "src/kernel/errors.ts"],
  ["src/domain/receipt/hash.ts", "src/crypto/hash.ts"],
  ["src/domain/job/state.test.ts", "fast-check"],
  ["src/domain/job/vectors.test.ts", "node:fs"],
  ["src/roles/miner/service.test.ts", "test/harness/index.ts"],
  ["src/crypto/curves.ts", "@noble/curves/ed25519.js"],
  ["src/kernel/assets.ts", "node:sea"],
  ["test/flows/job.ts", "src/app/daemon.ts"],
  ["scripts/build.ts", "src/kernel/ids.ts"],
] as const;

const KINDS = ["value", "type"] as const;
const withKind = (path: string, kind: string): string => path.replaceAll("@", kind);

describe("direction of imports", () => {
  const results = new Map<string, CheckResult>();

  beforeAll(() => {
    for (const kind of KINDS) {
      using tree = new PlantedTree();
      for (const [rule, from, to] of BREACHES) {
        const breach = {
          from: withKind(from, kind),
          to: to.startsWith("src/") ? withKind(to, kind) : to,
          kind,
        };
        tree.plant(breach);
        if (rule === "no-cycle") tree.plant({ from: breach.to, to: breach.from, kind });
      }
      results.set(kind, tree.check());
    }
  });
  afterAll(() => results.clear());

  for (const kind of KINDS) {
    it.each(BREACHES)(`reports a ${kind} import that breaks %s: %s → %s`, (rule, from, to) => {
      const expected = `${rule}: ${withKind(from, kind)} → ${to.startsWith("src/") ? withKind(to, kind) : ""}`;
      expect(results.get(kind)?.lines.filter((line) => line.startsWith(expected))).not.toEqual([]);
      expect(results.get(kind)?.exitCode).toBe(1);
    });
  }

  it("has a planted breach for every rule", async () => {
    const { ruleSet } = await extractDepcruiseOptions(
      resolve(import.meta.dirname, "../../.dependency-cruiser.mjs"),
    );
    const names = (ruleSet?.forbidden ?? []).map(({ name }) => name ?? "without a name");
    const planted = new Set<string>(BREACHES.map(([rule]) => rule));
    expect(names).not.toEqual([]);
    expect(names.filter((name) => !planted.has(name))).toEqual([]);
  });

  it.each(KINDS)("is content with the %s imports of the layout", (kind) => {
    using tree = new PlantedTree();
    for (const [from, to] of CLEAN) tree.plant({ from, to, kind });
    const { lines, exitCode } = tree.check();
    expect(lines.slice(0, -1)).toEqual([]);
    expect(exitCode).toBe(0);
  });
});

describe("number of modules looked at", () => {
  it("fails when a file was not looked at", () => {
    using tree = new PlantedTree();
    tree.plant({ from: "src/kernel/a.ts", to: "src/kernel/b.ts", kind: "value" });
    tree.write("blind.mjs", 'export default { options: { exclude: "b\\\\.ts$" } };\n');
    const { lines, exitCode } = tree.check("--config", "blind.mjs");
    expect(lines).toEqual(["not-cruised: src/kernel/b.ts", "1 of 2 modules, 0 violations"]);
    expect(exitCode).toBe(1);
  });

  it("fails when nothing was looked at", () => {
    using tree = new PlantedTree();
    tree.plant({ from: "src/kernel/a.ts", to: "src/kernel/b.ts", kind: "value" });
    tree.write("blind.mjs", 'export default { options: { includeOnly: "^nothing" } };\n');
    const { lines, exitCode } = tree.check("--config", "blind.mjs");
    expect(lines.at(-1)).toBe("0 of 2 modules, 0 violations");
    expect(exitCode).toBe(1);
  });

  it("fails when there is nothing to look at", () => {
    using tree = new PlantedTree();
    expect(tree.check().exitCode).not.toBe(0);
  });
});
