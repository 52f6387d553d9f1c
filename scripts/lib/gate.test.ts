import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { runCommand } from "./run-command.ts";
import { runStep, STEPS } from "./steps.ts";
import { closingLine, tally } from "./tally.ts";
import { listLongest, parseTestReport } from "./test-report.ts";

const CHECK = resolve(import.meta.dirname, "../check.ts");

function reportOf(...statuses: readonly string[]): string {
  const assertionResults = statuses.map((status, index) => ({ fullName: `test ${index}`, status }));
  return JSON.stringify({ success: true, testResults: [{ name: "/root/src/a.test.ts", assertionResults }] });
}

describe("test report", () => {
  it("counts passed and failed tests and names the others", () => {
    const counts = parseTestReport(reportOf("passed", "failed", "passed", "pending", "todo"), "/root");
    expect(counts).toEqual({
      passed: 2,
      failed: 1,
      failures: ["src/a.test.ts: test 1: "],
      skipped: ["src/a.test.ts: test 3", "src/a.test.ts: test 4"],
    });
  });

  it("does not take an unknown status for a pass", () => {
    expect(parseTestReport(reportOf("disabled"), "/root")).toMatchObject({ passed: 0, failed: 0 });
    expect(parseTestReport(reportOf("disabled"), "/root").skipped).toHaveLength(1);
  });

  it("names what failed and why, and files that could not be loaded", () => {
    const test = { fullName: "a test", status: "failed", failureMessages: ["Error: 429\n    at …"] };
    const testResults = [
      { name: "/root/a.test.ts", message: "", assertionResults: [test] },
      { name: "/root/b.test.ts", message: "no such module\nmore", assertionResults: [] },
    ];
    const { failures } = parseTestReport(JSON.stringify({ success: false, testResults }), "/root");
    expect(failures).toEqual(["a.test.ts: a test: Error: 429", "b.test.ts: no such module"]);
  });

  it("tells which files took longest", () => {
    const testResults = [1, 3, 2].map((seconds) => ({
      name: `/root/${seconds}.test.ts`,
      startTime: 1000,
      endTime: 1000 + seconds * 1000,
      assertionResults: [],
    }));
    const text = JSON.stringify({ success: true, testResults });
    expect(listLongest(text, "/root", 2)).toEqual(["3.test.ts 3 s", "2.test.ts 2 s"]);
  });

  it("refuses what is not a report", () => {
    expect(() => parseTestReport("{}", "/root")).toThrow();
    expect(() => parseTestReport("", "/root")).toThrow();
  });
});

describe("closing line", () => {
  it("counts every step as one, and every test as one", () => {
    const total = tally([
      { ok: true, output: "" },
      { ok: false, output: "" },
      { ok: false, output: "", tests: { passed: 5, failed: 2, failures: [], skipped: [] } },
    ]);
    expect(closingLine(total)).toBe("6 passed, 4 failed");
  });

  it("tells skipped tests apart", () => {
    const total = tally([
      { ok: true, output: "", tests: { passed: 1, failed: 0, failures: [], skipped: ["a"] } },
    ]);
    expect(closingLine(total)).toBe("2 passed, 0 failed, 1 skipped");
  });
});

describe("steps", () => {
  it("fails a step whose script is missing", async () => {
    const run = (): never => {
      throw new Error("must not run");
    };
    const step = { name: "lost", about: "", needs: ["scripts/does-not-exist.ts"], run };
    expect(await runStep(step)).toEqual({ ok: false, output: "missing: scripts/does-not-exist.ts\n" });
  });

  it("have distinct names", () => {
    expect(new Set(STEPS.map(({ name }) => name)).size).toBe(STEPS.length);
  });

  it("are refused under an unknown name", () => {
    const { status, stderr } = spawnSync(process.execPath, [CHECK, "--only", "types,typos"], {
      encoding: "utf8",
    });
    expect(status).toBe(2);
    expect(stderr).toContain("no step is called typos");
  });
});

describe("commands", () => {
  it("keep output and exit code", async () => {
    const script = "console.log('out'); console.error('err'); process.exit(3)";
    const { code, output } = await runCommand(process.execPath, ["-e", script], 10_000);
    expect(code).toBe(3);
    expect(output).toContain("out");
    expect(output).toContain("err");
  });

  it("fail when they cannot be started", async () => {
    expect(await runCommand("aitbc-no-such-command", [], 10_000)).toMatchObject({ code: 1 });
  });

  it("are killed with their children when they hang", async () => {
    const script =
      "require('child_process').spawn('sleep', ['600'], { stdio: 'inherit' }); setInterval(() => {}, 1000)";
    const { code, output } = await runCommand(process.execPath, ["-e", script], 500);
    expect(code).toBe(1);
    expect(output).toContain("killed: ran longer than 0.5 s");
  });
});
