/**
 * Who may import whom. `scripts/check-dependencies.ts` runs these rules over src, test and scripts, type
 * imports included; `test/arch` plants one violation of each and asserts that it is reported.
 */

/**
 * The layers and, for each, the other layers it may import. A file always may import from its own layer.
 * Roles are reached through their index alone, and never from one another: two rules of their own below.
 */
const LAYERS = {
  main: ["cli", "app", "roles", "wire", "domain", "crypto", "kernel"],
  cli: ["app", "client", "config", "roles", "wire", "domain", "crypto", "kernel"],
  app: ["client", "config", "roles", "wire", "domain", "crypto", "kernel"],
  config: ["roles", "kernel"],
  client: ["wire", "domain", "crypto", "kernel"],
  roles: ["wire", "domain", "crypto", "kernel"],
  console: ["wire", "domain", "crypto"],
  wire: ["domain", "crypto", "kernel"],
  domain: ["crypto"],
  crypto: ["kernel"],
  kernel: [],
};

const TEST_FILE = "\\.test\\.ts$";
const DOMAIN_KERNEL = "^src/kernel/errors\\.ts$";

/** `main` is one file, every other layer a folder. */
const pathOf = (layer) => (layer === "main" ? "^src/main(\\.test)?\\.ts$" : `^src/${layer}/`);

const layerRule = ([layer, others]) => ({
  name: `layer-${layer}`,
  comment: `${layer} may import ${others.length === 0 ? "no other layer" : others.join(", ")}`,
  severity: "error",
  from: { path: pathOf(layer) },
  to: {
    path: "^src/",
    pathNot: [...[layer, ...others].map(pathOf), ...(layer === "domain" ? [DOMAIN_KERNEL] : [])],
  },
});

export default {
  forbidden: [
    ...Object.entries(LAYERS).map(layerRule),
    {
      name: "known-layer",
      comment: "every file of src belongs to a layer",
      severity: "error",
      from: { path: "^src/", pathNot: Object.keys(LAYERS).map(pathOf) },
      to: { path: "." },
    },
    {
      name: "role-to-role",
      comment: "roles meet in app and on the bus",
      severity: "error",
      from: { path: "^src/roles/([^/]+)/" },
      to: { path: "^src/roles/", pathNot: "^src/roles/$1/" },
    },
    {
      name: "role-door",
      comment: "a role's door is its index.ts, and procedures.ts for the writer's thread",
      severity: "error",
      from: { path: "^src/(?!roles/)" },
      to: { path: "^src/roles/", pathNot: "^src/roles/[^/]+/(index|procedures)\\.ts$" },
    },
    {
      name: "role-procedures",
      comment: "what roles write is put together in app alone",
      severity: "error",
      from: { path: "^src/(?!roles/|app/)" },
      to: { path: "^src/roles/[^/]+/procedures\\.ts$" },
    },
    {
      name: "domain-is-pure",
      comment: "domain imports no package and no part of Node: no I/O, no clock, no randomness",
      severity: "error",
      from: { path: "^src/domain/", pathNot: TEST_FILE },
      to: { pathNot: "^src/" },
    },
    {
      name: "no-scripts",
      comment: "nothing imports scripts",
      severity: "error",
      from: { pathNot: "^scripts/" },
      to: { path: "^scripts/" },
    },
    {
      name: "no-test-in-product",
      comment: "the product imports no test; a test beside its subject may use test/harness",
      severity: "error",
      from: { path: "^src/", pathNot: TEST_FILE },
      to: { path: ["^test/", TEST_FILE] },
    },
    {
      name: "harness-only",
      comment: "a test beside its subject shares through test/harness and nothing else of test",
      severity: "error",
      from: { path: `^src/.*${TEST_FILE}` },
      to: { path: "^test/", pathNot: "^test/harness/" },
    },
    {
      name: "no-development-package",
      comment: "the product imports only packages it ships with",
      severity: "error",
      from: { path: "^src/", pathNot: TEST_FILE },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "resolvable",
      comment: "every import leads to something",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "no-cycle",
      comment: "imports form no circle",
      severity: "error",
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["node", "import", "require", "default", "types"],
    },
  },
};
