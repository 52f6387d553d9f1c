import { defineConfig } from "vitest/config";
import { COMPILE_CACHE } from "./scripts/lib/compile-cache.ts";

Object.assign(process.env, COMPILE_CACHE);

/** Longest time one test may take: process tests start real daemons on two cores. */
const TEST_TIMEOUT_MS = 30_000;

/** Test files that run at the same time: process tests measure themselves against a machine that is not full. */
const MAX_WORKERS = 2;

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts"],
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    maxWorkers: MAX_WORKERS,
    // A forgotten `.only` would hide every other test of its file.
    allowOnly: false,
  },
});
