import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EXIT } from "../../../kernel/errors.ts";
import type { CommandResult, Host } from "./host.ts";
import { carryOut, planInstall, planUninstall, type StepReport } from "./install.ts";
import { PLACES, parseService } from "./service.ts";
import { createUnit, executableInUnit, type UnitFacts } from "./unit.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "aitbc-install-"));
  writeFileSync(join(root, "single-file"), "the program, version 1", { mode: 0o755 });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A machine below a folder: real files, and a system that remembers what it was told. */
class FakeMachine implements Host {
  readonly platform = "linux";
  readonly uid: number | undefined = 0;
  readonly hasSystemd: boolean = true;
  readonly root = root;
  readonly executable: string | undefined = join(root, "single-file");
  /** What is so: `group aitbc`, `passwd aitbc`, `active`, `enabled`, and `stale` for a unit read too early. */
  readonly facts = new Set<string>();
  /** Commands that change something, in order. */
  readonly ran: string[] = [];
  failing = "";

  async run(command: readonly [string, ...string[]]): Promise<CommandResult> {
    const line = command.join(" ");
    const asked = /^getent (.*)|^systemctl is-(active|enabled)/.exec(line);
    if (asked) return { code: this.facts.has(asked[1] ?? asked[2] ?? "") ? 0 : 2, output: "" };
    if (line.startsWith("systemctl show")) return { code: 0, output: this.facts.has("stale") ? "yes" : "no" };
    this.ran.push(line);
    if (this.failing !== "" && line.startsWith(this.failing)) return { code: 4, output: "no such luck" };
    if (command[0] === "groupadd") this.facts.add(`group ${command.at(-1)}`);
    if (command[0] === "useradd") this.facts.add(`passwd ${command.at(-1)}`);
    if (command[1] === "restart") this.facts.add("active");
    if (command[1] === "enable") this.facts.add("enabled");
    if (command[1] === "disable") for (const fact of ["active", "enabled"]) this.facts.delete(fact);
    return { code: 0, output: "" };
  }
}

async function install(host: Host, input = {}, dryRun = false): Promise<readonly StepReport[]> {
  return Array.fromAsync(carryOut(await planInstall(host, parseService(input)), { dryRun }));
}

const uninstall = (host: Host): Promise<readonly StepReport[]> =>
  Array.fromAsync(carryOut(planUninstall(host), { dryRun: false }));

const states = (reports: readonly StepReport[]): readonly string[] => reports.map(({ state }) => state);

describe("self install", () => {
  it("makes user, directories, executable and unit, and starts the service", async () => {
    const host = new FakeMachine();
    expect(new Set(states(await install(host)))).toEqual(new Set(["done"]));
    expect(host.ran).toEqual([
      "groupadd --system aitbc",
      "useradd --system --gid aitbc --home-dir /var/lib/aitbc --no-create-home --shell /usr/sbin/nologin aitbc",
      "systemctl daemon-reload",
      "systemctl enable aitbc.service",
      "systemctl restart aitbc.service",
    ]);
    const executable = join(root, "usr/local/bin/aitbc");
    expect(readFileSync(executable, "utf8")).toBe("the program, version 1");
    expect(statSync(executable).mode & 0o777).toBe(0o755);
    expect(statSync(join(root, PLACES.unit)).mode & 0o777).toBe(0o644);
  });

  it("does nothing the second time, and restarts after an update", async () => {
    const host = new FakeMachine();
    await install(host);
    host.ran.length = 0;
    expect(new Set(states(await install(host)))).toEqual(new Set(["kept"]));
    expect(host.ran).toEqual([]);
    writeFileSync(join(root, "single-file"), "the program, version 2");
    await install(host);
    expect(host.ran).toContain("systemctl restart aitbc.service");
    expect(readFileSync(join(root, "usr/local/bin/aitbc"), "utf8")).toBe("the program, version 2");
  });

  it("goes on after an install that was interrupted before systemd read the unit", async () => {
    const host = new FakeMachine();
    await install(host);
    host.ran.length = 0;
    host.facts.add("stale");
    await install(host);
    expect(host.ran).toEqual(["systemctl daemon-reload", "systemctl restart aitbc.service"]);
  });

  it("changes nothing in a dry run, also where it would be refused", async () => {
    const host = Object.assign(new FakeMachine(), { uid: 1000, hasSystemd: false, executable: undefined });
    expect(new Set(states(await install(host, {}, true)))).toEqual(new Set(["planned"]));
    expect(host.ran).toEqual([]);
    expect(existsSync(join(root, "usr"))).toBe(false);
  });

  it.each([
    [{ uid: 1000 }, "NOT_PERMITTED", "needs root"],
    [{ uid: undefined }, "NOT_PERMITTED", "needs root"],
    [{ platform: "darwin" as const }, "UNSUPPORTED_FEATURE", "needs Linux"],
    [{ hasSystemd: false }, "UNSUPPORTED_FEATURE", "systemd does not manage"],
    [{ executable: undefined }, "UNSUPPORTED_FEATURE", "only the single file"],
  ])("is refused with %j", async (change, code, message) => {
    const host = Object.assign(new FakeMachine(), change);
    await expect(install(host)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect(host.ran).toEqual([]);
  });

  it("leaves a unit that somebody else wrote", async () => {
    const host = new FakeMachine();
    mkdirSync(join(root, "etc/systemd/system"), { recursive: true });
    writeFileSync(join(root, PLACES.unit), "[Service]\nExecStart=/bin/true serve\n");
    await expect(install(host)).rejects.toMatchObject({ code: "CONFLICT_STATE" });
    await expect(uninstall(host)).rejects.toMatchObject({ code: "CONFLICT_STATE" });
  });

  it("says what the system said when a step fails", async () => {
    const host = Object.assign(new FakeMachine(), { failing: "useradd" });
    await expect(install(host)).rejects.toThrow("failed (exit code 4): no such luck");
    expect(existsSync(join(root, PLACES.unit))).toBe(false);
  });

  it("refuses a configuration that the service could not start with", async () => {
    mkdirSync(join(root, PLACES.config), { recursive: true });
    writeFileSync(join(root, PLACES.config, "config.json"), '{ "stop_seconds": "long" }');
    await expect(install(new FakeMachine())).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  it("takes the time to stop and the roles from the service's configuration", async () => {
    mkdirSync(join(root, PLACES.config), { recursive: true });
    const config = { stop_seconds: 100, roles: ["coordinator"], http: { port: 443 } };
    writeFileSync(join(root, PLACES.config, "config.json"), JSON.stringify(config));
    const { unit } = await planInstall(new FakeMachine(), parseService({}));
    expect(unit).toMatch(/^TimeoutStopSec=115$/m);
    expect(unit).toMatch(/^PrivateDevices=yes$/m);
    expect(unit).toMatch(/^AmbientCapabilities=CAP_NET_BIND_SERVICE$/m);
  });
});

describe("self uninstall", () => {
  it("removes service, unit and executable, and keeps data, configuration and user", async () => {
    const host = new FakeMachine();
    await install(host, { prefix: "/opt/aitbc" });
    mkdirSync(join(root, PLACES.data), { recursive: true });
    host.ran.length = 0;
    await uninstall(host);
    expect(host.ran).toEqual(["systemctl disable --now aitbc.service", "systemctl daemon-reload"]);
    expect(existsSync(join(root, PLACES.unit))).toBe(false);
    expect(existsSync(join(root, "opt/aitbc/bin/aitbc"))).toBe(false);
    expect(existsSync(join(root, PLACES.data))).toBe(true);
    expect(existsSync(join(root, PLACES.config))).toBe(true);
    expect(host.facts).toContain("passwd aitbc");
  });

  it("does nothing where nothing is installed", async () => {
    const host = new FakeMachine();
    expect(new Set(states(await uninstall(host)))).toEqual(new Set(["kept"]));
    expect(host.ran).toEqual([]);
  });
});

describe("what a caller may say", () => {
  it.each([
    [{ user: "root" }, "must not run as root"],
    [{ user: "a b" }, "no name for a system user"],
    [{ user: "-x" }, "no name for a system user"],
    [{ prefix: "opt" }, "is not allowed"],
    [{ prefix: "/opt/%h" }, "is not allowed"],
    [{ prefix: "/opt/a b" }, "is not allowed"],
    [{ prefix: "/home/me" }, "would not see"],
    [{ prefix: "/opt/../tmp" }, "would not see"],
    [{ roles: "coordinator,king" }, "there is no role king"],
    [{ roles: "" }, "there is no role"],
  ])("%j is refused", (input, message) => {
    expect(() => parseService(input)).toThrow(message);
  });
});

const FACTS: UnitFacts = {
  roles: ["coordinator", "miner"],
  stopSeconds: 30,
  maxConnections: 100_000,
  port: 8000,
  gpuGroups: ["video"],
};

/** Sections, each with its settings in order; the structure that systemd.syntax(7) describes. */
function parseUnit(unit: string): ReadonlyMap<string, readonly string[]> {
  const sections = new Map<string, string[]>();
  let section: string[] | undefined;
  for (const line of unit.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const name = /^\[(\w+)\]$/.exec(line)?.[1];
    if (name === undefined) {
      expect(line).toMatch(/^[A-Z]\w+=/);
      section?.push(line);
    } else {
      section = [];
      sections.set(name, section);
    }
  }
  return sections;
}

describe("the unit", () => {
  it("is hardened, stops in time, and is not restarted where that helps nothing", () => {
    const sections = parseUnit(createUnit(parseService({ roles: "miner,coordinator" }), FACTS));
    expect([...sections.keys()]).toEqual(["Unit", "Service", "Install"]);
    expect(sections.get("Service")).toEqual(
      expect.arrayContaining([
        "User=aitbc",
        "ExecStart=/usr/local/bin/aitbc serve --roles coordinator,miner",
        `RestartPreventExitStatus=${EXIT.usage} ${EXIT.schemaNewer} ${EXIT.dataInUse}`,
        "TimeoutStopSec=45",
        "LimitNOFILE=104096",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "SystemCallFilter=@system-service",
        "MemoryDenyWriteExecute=no",
        "CapabilityBoundingSet=",
        "DeviceAllow=char-nvidia* rw",
        "SupplementaryGroups=video",
      ]),
    );
    expect(sections.get("Service")?.some((line) => line.startsWith("WatchdogSec="))).toBe(false);
  });

  it("is known again by its first line", () => {
    const unit = createUnit(parseService({ prefix: "/opt/x" }), FACTS);
    expect(executableInUnit(unit)).toBe("/opt/x/bin/aitbc");
    expect(executableInUnit(unit.replace("#", ";"))).toBeUndefined();
  });

  it.each([[FACTS], [{ ...FACTS, roles: ["coordinator"], port: 80, gpuGroups: [] } satisfies UnitFacts]])(
    "passes systemd's own check, where systemd is installed (%#)",
    (facts) => {
      // The command must exist: /usr/bin/env stands in for the installed file.
      const unit = createUnit(parseService({}), facts).replace(/^ExecStart=\S+/m, "ExecStart=/usr/bin/env");
      const file = join(root, "aitbc.service");
      writeFileSync(file, unit);
      const { error, status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", file], {
        encoding: "utf8",
      });
      expect(error === undefined || "code" in error).toBe(true);
      if (error === undefined) expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: "" });
      expect([...parseUnit(unit).keys()]).toEqual(["Unit", "Service", "Install"]);
    },
  );
});
