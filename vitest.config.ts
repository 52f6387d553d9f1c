import { defineConfig } from "vitest/config";

/** Longest time one test may take: process tests start real daemons on two cores. */
const TEST_TIMEOUT_MS = 30_000;

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    maxWorkers: 2,
  },
});
