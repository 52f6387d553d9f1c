import type { RoleName } from "../../../config/schema.ts";
import { EXIT } from "../../../kernel/errors.ts";
import { executableOf, type Service } from "./service.ts";

/** First line of every unit that this program writes: it replaces and removes no other. */
export const UNIT_MARK = "# Written by `aitbc self install`, which replaces it; own settings belong into";

/** What the unit takes from the configuration and from the machine. */
export interface UnitFacts {
  /** Roles that will run. */
  readonly roles: readonly RoleName[];
  readonly stopSeconds: number;
  readonly maxConnections: number;
  readonly port: number;
  /** Groups that own the device files of GPUs, as far as this machine has them. */
  readonly gpuGroups: readonly string[];
}

/** Past `stop_seconds` the daemon closes its database; only what still runs then is killed. */
const STOP_MARGIN_SECONDS = 15;
/** Descriptors beside connections: database, logs, engines, outgoing calls. */
const OTHER_DESCRIPTORS = 4096;
const LEAST_DESCRIPTORS = 65_536;
/** Ports below need a privilege (ip(7)). */
const FIRST_FREE_PORT = 1024;

/** Failures that come back with every start: wrong configuration, a newer schema, a directory in use. */
const NO_RESTART = [EXIT.usage, EXIT.schemaNewer, EXIT.dataInUse];

function capabilities(port: number): string {
  if (port === 0 || port >= FIRST_FREE_PORT) return "CapabilityBoundingSet=\nAmbientCapabilities=";
  return `# Port ${port} is below ${FIRST_FREE_PORT}.
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_BIND_SERVICE`;
}

function devices({ roles, gpuGroups }: UnitFacts): string {
  if (!roles.includes("miner")) return "PrivateDevices=yes";
  const groups = gpuGroups.length === 0 ? "" : `\nSupplementaryGroups=${gpuGroups.join(" ")}`;
  return `# A miner needs the device files of GPUs, and no others.
DevicePolicy=closed
DeviceAllow=char-nvidia* rw
DeviceAllow=char-drm rw
DeviceAllow=char-kfd rw${groups}`;
}

/** The systemd unit of a service (systemd.service(5), systemd.exec(5)). */
export function createUnit(service: Service, facts: UnitFacts): string {
  const roles = service.roles === undefined ? "" : ` --roles ${service.roles.join(",")}`;
  return `${UNIT_MARK}
# /etc/aitbc/config.json, or into a drop-in: systemctl edit aitbc

[Unit]
Description=AITBC daemon (${facts.roles.join(", ")})
Wants=network-online.target
After=network-online.target
# Ten failed starts in five minutes are enough.
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=exec
User=${service.user}
Group=${service.user}
ExecStart=${executableOf(service)} serve${roles}
# systemctl reload aitbc: the configuration is read again, and what can change while it runs does.
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
# Wrong configuration (${EXIT.usage}), database of a newer version (${EXIT.schemaNewer}), data in use (${EXIT.dataInUse}): a restart changes none of them.
RestartPreventExitStatus=${NO_RESTART.join(" ")}
# stop_seconds is ${facts.stopSeconds}: running jobs end or are handed back, then the database is closed.
TimeoutStopSec=${facts.stopSeconds + STOP_MARGIN_SECONDS}
# The daemon stops its engines itself; what is left after it is killed.
KillMode=mixed
# An engine that takes too much memory may be killed; the daemon runs on and hands the job back.
OOMPolicy=continue
LimitNOFILE=${Math.max(LEAST_DESCRIPTORS, facts.maxConnections + OTHER_DESCRIPTORS)}
UMask=0077

# /var/lib/aitbc and /var/cache/aitbc, made by systemd and owned by the user above; /etc/aitbc, owned by root.
StateDirectory=aitbc
StateDirectoryMode=0700
CacheDirectory=aitbc
CacheDirectoryMode=0700
ConfigurationDirectory=aitbc

NoNewPrivileges=yes
${capabilities(facts.port)}
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
${devices(facts)}
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
# Netlink is how the C library lists the machine's addresses.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
# V8 compiles JavaScript to machine code while it runs: memory changes from writable to executable.
MemoryDenyWriteExecute=no

[Install]
WantedBy=multi-user.target
`;
}

/** The executable that a unit of ours starts; undefined when the unit is somebody else's. */
export function executableInUnit(unit: string): string | undefined {
  return unit.startsWith(UNIT_MARK) ? /^ExecStart=(\S+) serve/m.exec(unit)?.[1] : undefined;
}
