import { configDefaults, defineConfig } from "vitest/config";
import { COMPILE_CACHE } from "./scripts/lib/compile-cache.ts";

Object.assign(process.env, COMPILE_CACHE);

/** Longest time one test may take: process tests start real daemons on two cores. */
const TEST_TIMEOUT_MS = 30_000;

/** Test files that run at the same time: process tests measure themselves against a machine that is not full. */
const MAX_WORKERS = 2;

/** Test files that look at the process they run in, or change it: each has one of its own. */
const OWN_PROCESS = [
  "src/roles/miner/engines/child/open-llama.test.ts",
  "src/roles/wallet/signer/{memory,process-signer}.test.ts",
  "test/flows/{artifacts,cli-wallet,leaks}.test.ts",
];

export default defineConfig({
  test: {
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    maxWorkers: MAX_WORKERS,
    // A forgotten `.only` would hide every other test of its file.
    allowOnly: false,
    projects: [
      {
        extends: true,
        test: {
          name: "shared",
          include: ["src/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...OWN_PROCESS],
          // Starting a process and loading the same modules for each file would be nearly half of all work.
          isolate: false,
        },
      },
      { extends: true, test: { name: "own process", include: OWN_PROCESS } },
    ],
  },
});
