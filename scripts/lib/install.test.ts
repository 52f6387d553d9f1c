import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const LIBRARY = resolve(import.meta.dirname, "install.sh");

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "aitbc-install-"));
  writeFileSync(join(root, "package-lock.json"), "{}");
  mkdirSync(join(root, "tools"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Puts a program before the machine's own. */
function fakeProgram(name: string, script: string): void {
  writeFileSync(join(root, "tools", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

function run(call: string): {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  const { status, stdout, stderr } = spawnSync(
    "bash",
    ["-euc", `root="$1"; . "$2"; ${call}`, "bash", root, LIBRARY],
    {
      encoding: "utf8",
      // Where its input is a socket, bash takes itself for a remote shell and runs the machine's start files first.
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, PATH: `${join(root, "tools")}:/usr/bin:/bin` },
    },
  );
  return { code: status, stdout, stderr };
}

/** Leaves what a finished `npm ci` leaves, `ageSeconds` ago. */
function markInstalled(ageSeconds: number): void {
  const file = join(root, "node_modules", ".package-lock.json");
  mkdirSync(join(root, "node_modules"));
  writeFileSync(file, "{}");
  const at = Date.now() / 1000 - ageSeconds;
  utimesSync(file, at, at);
}

describe("install_packages", () => {
  it.each([
    ["nothing is installed", () => {}],
    ["an install was interrupted", () => mkdirSync(join(root, "node_modules"))],
    ["the lockfile is newer", () => markInstalled(3600)],
  ])("installs when %s, and says so on stderr alone", (_, prepare) => {
    prepare();
    fakeProgram("npm", 'echo "npm was called: $1"; mkdir -p node_modules');
    const { code, stdout, stderr } = run("install_packages");
    expect(stderr).toContain("npm was called: ci");
    expect(stdout).toBe("");
    expect(code).toBe(0);
  });

  it("leaves a fresh install alone", () => {
    markInstalled(-3600);
    fakeProgram("npm", "exit 1");
    expect(run("install_packages")).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("says what to do when npm fails", () => {
    fakeProgram("npm", "exit 1");
    const { code, stderr } = run("install_packages");
    expect(code).toBe(1);
    expect(stderr).toContain("error: npm ci failed; see above");
  });
});

describe("use_project_node", () => {
  it.each(["v20.20.2", "v25.9.0"])("refuses Node %s", (version) => {
    fakeProgram("node", `echo ${version}`);
    const { code, stderr } = run("use_project_node");
    expect(code).toBe(1);
    expect(stderr).toContain(`this needs Node 26 or later, and ${join(root, "tools", "node")} is ${version}`);
  });

  it("prefers the project's own Node", () => {
    fakeProgram("node", "echo v20.20.2");
    mkdirSync(join(root, "node_modules/.bin"), { recursive: true });
    writeFileSync(join(root, "node_modules/.bin/node"), "#!/bin/sh\necho v26.10.0\n", { mode: 0o755 });
    expect(run("use_project_node")).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});
