import type { Kysely } from "kysely";
import type { Meters } from "../../domain/job/meters.ts";
import type { Bus } from "../../kernel/bus.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { RunOperation } from "../../kernel/db/database.ts";
import type { Ids, RandomBytes } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import type { BusEvents } from "../../wire/events.ts";
import type { CoordinatorTables } from "./tables.ts";

/** The store as the coordinator uses it: reads through `db`, writes in operations. */
export interface Store {
  readonly db: Kysely<CoordinatorTables>;
  readonly operation: RunOperation<Kysely<CoordinatorTables>>;
}

/** What the coordinator needs from its surroundings. */
export interface CoordinatorDeps {
  readonly store: Store;
  readonly bus: Bus<BusEvents>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: RandomBytes;
  readonly meters: Meters;
  /** Where the coordinator's identity key lies; made at the first start. */
  readonly identityFile: string;
  /** Where uploaded artifacts lie; made when it is missing. Nothing else may lie there. */
  readonly artifactsDirectory: string;
}
