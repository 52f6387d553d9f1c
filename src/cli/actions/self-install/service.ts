import { isAbsolute, normalize } from "node:path";
import { ROLE_NAMES, type RoleName } from "../../../config/schema.ts";
import { AppError } from "../../../kernel/errors.ts";

/** What the installed service is: all that its unit depends on. */
export interface Service {
  /** User that it runs as; its group has the same name. */
  readonly user: string;
  /** Roles given on the command line; undefined leaves them to the configuration. */
  readonly roles: readonly RoleName[] | undefined;
  /** Folder that holds `bin/aitbc`. */
  readonly prefix: string;
}

/** What a caller may say about the service, as text. */
export interface ServiceInput {
  readonly user?: string | undefined;
  readonly roles?: string | undefined;
  readonly prefix?: string | undefined;
}

export const UNIT_NAME = "aitbc.service";

/** Where the service keeps its files: systemd makes them from these names (systemd.exec(5), StateDirectory=). */
export const PLACES = {
  unit: `/etc/systemd/system/${UNIT_NAME}`,
  config: "/etc/aitbc",
  data: "/var/lib/aitbc",
  cache: "/var/cache/aitbc",
} as const;

const DEFAULT_USER = "aitbc";
const DEFAULT_PREFIX = "/usr/local";

/** A name that every tool takes (useradd(8), and systemd's "strict" rules). */
const USER_NAME = /^[a-z_][a-z0-9_-]{0,30}$/;
/** Signs of a path that mean nothing to systemd: no blanks, quotes, `%` or `$`. */
const PLAIN_PATH = /^\/[\w./@+-]*$/;
/** Folders that the service does not see, or sees empty (ProtectHome=, PrivateTmp=). */
const HIDDEN_FROM_SERVICE = /^\/(?:home|root|run\/user|tmp|var\/tmp)(?:\/|$)/;

/** The executable of a service. */
export const executableOf = ({ prefix }: Pick<Service, "prefix">): string => normalize(`${prefix}/bin/aitbc`);

/**
 * Checks what was asked for.
 * @throws AppError INVALID_ARGUMENT
 */
export function parseService(input: ServiceInput): Service {
  const { user = DEFAULT_USER, prefix = DEFAULT_PREFIX } = input;
  if (!USER_NAME.test(user)) {
    throw invalid(`--user ${user} is no name for a system user`, "use small letters, digits, - and _");
  }
  if (user === "root") throw invalid("the service must not run as root", "leave --user out: it makes a user");
  if (!isAbsolute(prefix) || !PLAIN_PATH.test(prefix)) {
    throw invalid(`--prefix ${prefix} is not allowed`, "give an absolute path without blanks, % or quotes");
  }
  const path = normalize(prefix);
  if (HIDDEN_FROM_SERVICE.test(path)) {
    throw invalid(
      `the service would not see ${path}: it is kept from home and temporary directories`,
      `use ${DEFAULT_PREFIX} or a folder below /opt`,
    );
  }
  return { user, prefix: path, roles: input.roles === undefined ? undefined : parseRoles(input.roles) };
}

function parseRoles(text: string): readonly RoleName[] {
  const names = text.split(",").map((name) => name.trim());
  const known: readonly string[] = ROLE_NAMES;
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw invalid(`--roles: there is no role ${unknown.join(", ")}`, `there are: ${ROLE_NAMES.join(", ")}`);
  }
  return ROLE_NAMES.filter((name) => names.includes(name));
}

function invalid(detail: string, hint: string): AppError {
  return new AppError("INVALID_ARGUMENT", detail, { meta: { hint } });
}
