import { existsSync, readFileSync } from "node:fs";
import { loadConfig } from "../../../config/load.ts";
import { AppError } from "../../../kernel/errors.ts";
import { type Host, refusals } from "./host.ts";
import { executableOf, PLACES, type Service, UNIT_NAME } from "./service.ts";
import {
  commandStep,
  directoryStep,
  executableStep,
  removeStep,
  type Step,
  succeeds,
  textStep,
} from "./steps.ts";
import { createUnit, executableInUnit, UNIT_MARK, type UnitFacts } from "./unit.ts";

/** A step as it is told: `planned` in a dry run, `kept` where there was nothing to do. */
export interface StepReport {
  readonly step: string;
  readonly command: string;
  readonly state: "done" | "kept" | "planned";
}

export interface Plan {
  readonly steps: readonly Step[];
  /** The unit that is installed; null when one is removed. */
  readonly unit: string | null;
  /** Why the steps cannot be taken here. */
  readonly refusals: readonly AppError[];
}

/** Groups that own the device files of GPUs on common distributions. */
const GPU_GROUPS = ["video", "render"];
/** Stands in commands where a dry run does not know the single file. */
const THIS_FILE = "dist/aitbc";

/** What the unit must know of the service's own configuration. @throws AppError INVALID_CONFIG */
async function gatherFacts(host: Host, service: Service): Promise<UnitFacts> {
  const { config } = loadConfig({
    env: {
      HOME: PLACES.data,
      CONFIGURATION_DIRECTORY: host.root + PLACES.config,
      STATE_DIRECTORY: PLACES.data,
      CACHE_DIRECTORY: PLACES.cache,
    },
    cwd: "/",
    flags: [],
  });
  const present = await Promise.all(GPU_GROUPS.map((group) => succeeds(host, ["getent", "group", group])));
  return {
    roles: service.roles ?? config.roles,
    stopSeconds: config.stop_seconds,
    maxConnections: config.http.max_connections,
    port: config.http.port,
    gpuGroups: GPU_GROUPS.filter((_group, index) => present[index]),
  };
}

function readUnit(host: Host): string | undefined {
  const path = host.root + PLACES.unit;
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** Refuses to touch a unit that somebody else wrote. */
function foreignUnit(unit: string | undefined): readonly AppError[] {
  if (unit === undefined || unit.startsWith(UNIT_MARK)) return [];
  const hint = "look at it, and move it away if it is not needed";
  return [
    new AppError("CONFLICT_STATE", `${PLACES.unit} was not written by this program`, { meta: { hint } }),
  ];
}

/** All that has to be so for the service to run. @throws AppError INVALID_CONFIG for the service's own file */
export async function planInstall(host: Host, service: Service): Promise<Plan> {
  const unit = createUnit(service, await gatherFacts(host, service));
  const { user } = service;
  const active = () => succeeds(host, ["systemctl", "is-active", "--quiet", UNIT_NAME]);
  return {
    unit,
    refusals: [...refusals(host, true), ...foreignUnit(readUnit(host))],
    steps: [
      commandStep(host, `make the group ${user}`, ["groupadd", "--system", user], () =>
        succeeds(host, ["getent", "group", user]),
      ),
      commandStep(host, `make the user ${user}, who cannot log in`, userCommand(user), () =>
        succeeds(host, ["getent", "passwd", user]),
      ),
      directoryStep(host, `make ${PLACES.config} for config.json`, PLACES.config),
      executableStep(host, host.executable ?? THIS_FILE, executableOf(service)),
      textStep(host, PLACES.unit, unit),
      commandStep(
        host,
        "have systemd read the unit",
        ["systemctl", "daemon-reload"],
        async (changed) => !changed && (await active()) && (await hasReadUnit(host)),
      ),
      commandStep(host, "start it with the machine", ["systemctl", "enable", UNIT_NAME], () =>
        succeeds(host, ["systemctl", "is-enabled", "--quiet", UNIT_NAME]),
      ),
      commandStep(
        host,
        "start it, or restart it where something changed",
        ["systemctl", "restart", UNIT_NAME],
        async (changed) => !changed && (await active()),
      ),
    ],
  };
}

/** Whether systemd knows the unit as it is on the disk: an earlier install may have been interrupted. */
async function hasReadUnit(host: Host): Promise<boolean> {
  const { output } = await host.run([
    "systemctl",
    "show",
    "--property=NeedDaemonReload",
    "--value",
    UNIT_NAME,
  ]);
  return output !== "yes";
}

function userCommand(user: string): readonly [string, ...string[]] {
  const home = ["--home-dir", PLACES.data, "--no-create-home", "--shell", "/usr/sbin/nologin"];
  return ["useradd", "--system", "--gid", user, ...home, user];
}

/** Takes service, unit and executable away. Data, configuration and user stay. */
export function planUninstall(host: Host): Plan {
  const unit = readUnit(host);
  const executable = unit === undefined ? undefined : executableInUnit(unit);
  return {
    unit: null,
    refusals: [...refusals(host, false), ...foreignUnit(unit)],
    steps: [
      commandStep(
        host,
        "stop it, and start it no more",
        ["systemctl", "disable", "--now", UNIT_NAME],
        () => unit === undefined,
      ),
      removeStep(host, PLACES.unit),
      ...(executable === undefined ? [] : [removeStep(host, executable)]),
      commandStep(
        host,
        "have systemd forget the unit",
        ["systemctl", "daemon-reload"],
        (changed) => !changed,
      ),
    ],
  };
}

/**
 * Takes the steps of a plan one after the other, or only tells them.
 * @throws AppError the first refusal; INTERNAL when a step fails, with what the system said
 */
export async function* carryOut(
  plan: Plan,
  options: { dryRun: boolean },
): AsyncGenerator<StepReport, void, undefined> {
  const [refusal] = plan.refusals;
  if (refusal && !options.dryRun) throw refusal;
  let changed = false;
  for (const { about: step, command, isDone, apply } of plan.steps) {
    if (options.dryRun) {
      yield { step, command, state: "planned" };
    } else if (await isDone(changed)) {
      yield { step, command, state: "kept" };
    } else {
      await apply();
      changed = true;
      yield { step, command, state: "done" };
    }
  }
}
