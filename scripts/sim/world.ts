import crypto from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import type { JobInput } from "../../src/client/client.ts";
import { sha256 } from "../../src/crypto/hash.ts";
import { BYTES_ONLY } from "../../src/domain/job/meters.ts";
import { createBus } from "../../src/kernel/bus.ts";
import { type Channel, createChannelPair } from "../../src/kernel/channel.ts";
import { createSystemClock } from "../../src/kernel/clock.ts";
import { type Database, openDatabase } from "../../src/kernel/db/database.ts";
import { migrate } from "../../src/kernel/db/migrate.ts";
import { createIds, type RandomBytes } from "../../src/kernel/ids.ts";
import { createLog, type Log } from "../../src/kernel/log.ts";
import { createMetrics } from "../../src/kernel/metrics.ts";
import { type CoordinatorTables, coordinator } from "../../src/roles/coordinator/index.ts";
import type { CoordinatorDeps } from "../../src/roles/coordinator/ports.ts";
import { Coordinator } from "../../src/roles/coordinator/service.ts";
import type { Principal } from "../../src/wire/access.ts";
import type { BusEvents } from "../../src/wire/events.ts";
import { JobSubmission, JobView } from "../../src/wire/jobs.ts";
import type { Findings } from "../torture/findings.ts";

/** A lease's term in the schedules, in seconds: a pause past it is a few steps of the simulated time. */
export const LEASE_SECONDS = 5;
/** What a delivery waits for its neighbours at most, and one more, in ms. */
const FLUSH_MS = 3;
/** Turns of the loop without work in flight after which nothing is under way. */
const IDLE_TURNS = 3;
/** Turns after which something hangs. */
const MAX_TURNS = 200_000;
/** Simulated time begins here and each schedule a day later, in Unix ms. */
const EPOCH = Date.UTC(2030, 0, 1);
const DAY_MS = 86_400_000;

const CLIENT: Principal = { key_id: "sim", kind: "client", owner_id: "sim" };

/** Signatures under way: the only work besides the store's that no timer drives. */
let signing = 0;
/** Turns of the loop that the next signatures take; one, when none are named. */
let turns: number[] = [];
/** Signatures that do not come before `release`, while they are being held. */
let held: (() => void)[] | undefined;

/** One real database for many schedules: their jobs are their own. */
export interface Disk extends AsyncDisposable {
  readonly directory: string;
  readonly database: Database<CoordinatorTables>;
  /** Sees only what is committed. */
  readonly witness: Sqlite.Database;
}

export async function openDisk(): Promise<Disk> {
  const directory = mkdtempSync(join(tmpdir(), "aitbc-sim-"));
  const path = join(directory, "sim.db");
  const onFatal = (error: Error): void => {
    throw error;
  };
  const database = openDatabase<CoordinatorTables>({ path, onFatal });
  await migrate(database, coordinator.migrations);
  const witness = new Sqlite(path, { readonly: true });
  return {
    directory,
    database,
    witness,
    async [Symbol.asyncDispose]() {
      witness.close();
      await database[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Random bytes that a seed repeats. */
export function seededBytes(seed: string): RandomBytes {
  let count = 0;
  return (length) => {
    const parts: Uint8Array[] = [];
    for (let have = 0; have < length; have += 32) parts.push(sha256(`${seed} ${count++}`));
    return new Uint8Array(Buffer.concat(parts).subarray(0, length));
  };
}

/**
 * Replaces the timers of this process by ones that `World.advance` drives, and the threads that sign by a later
 * turn of the loop: the same schedule then meets the same order of events each time.
 */
export function takeOverTime(): void {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  crypto.sign = inTurns(crypto.sign);
  crypto.verify = inTurns(crypto.verify);
  syncBuiltinESMExports();
}

/** A function of node:crypto whose callback comes a turn of the loop later; without one it is as it was. */
function inTurns<F extends typeof crypto.sign | typeof crypto.verify>(original: F): F {
  // The two functions differ in their arguments, which are handed on as they came.
  const call = original as unknown as (...input: readonly unknown[]) => unknown;
  const replaced = (...input: readonly unknown[]): unknown => {
    const done = input.at(-1);
    if (typeof done !== "function") return call(...input);
    const result = call(...input.slice(0, -1));
    const wait = (left: number): void => {
      setImmediate(() => {
        if (left > 1) return wait(left - 1);
        signing--;
        done(null, result);
      });
    };
    const begin = (): void => {
      signing++;
      wait(turns.shift() ?? 1);
    };
    if (held) held.push(begin);
    else begin();
    return undefined;
  };
  return replaced as unknown as F;
}

/** The real coordinator over a real store, in a time and with a chance that the schedule makes. */
export class World {
  readonly findings: Findings;
  readonly disk: Disk;
  /** Random bytes of this schedule, for keys too. */
  readonly random: RandomBytes;
  /** Monotonic time, ms. */
  time = 0;
  readonly #deps: Omit<CoordinatorDeps, "metrics" | "bus">;
  readonly #log: Log;
  #wall: number;
  #operations = 0;
  #coordinator: Coordinator | undefined;

  constructor(disk: Disk, name: string, index: number, findings: Findings) {
    this.disk = disk;
    this.findings = findings;
    this.random = seededBytes(name);
    this.#wall = EPOCH + index * DAY_MS;
    this.#log = this.#listen();
    const clock = createSystemClock(
      () => this.#wall,
      () => this.time,
    );
    const { database } = disk;
    this.#deps = {
      clock,
      random: this.random,
      ids: createIds(clock, this.random),
      log: this.#log,
      meters: BYTES_ONLY,
      identityFile: join(disk.directory, "identity.key"),
      artifactsDirectory: join(disk.directory, "artifacts"),
      store: {
        db: database.db,
        operation: async (body, ...args) => {
          this.#operations++;
          try {
            return await database.operation(body, ...args);
          } finally {
            this.#operations--;
          }
        },
      },
    };
  }

  /** Starts the coordinator, or one more over the same rows after `stop`. */
  async start(): Promise<void> {
    const bus = createBus<BusEvents>((event, error) =>
      this.findings.add(`a listener of ${event} failed: ${String(error)}`),
    );
    const settings = coordinator.config.parse({
      lease_seconds: LEASE_SECONDS,
      heartbeat_seconds: 1,
      reconnect_grace_seconds: 1,
    });
    this.#coordinator = new Coordinator({ ...this.#deps, bus, metrics: createMetrics() }, settings);
    await this.#coordinator.start();
  }

  async stop(): Promise<void> {
    await this.#coordinator?.stop();
    this.#coordinator = undefined;
    await this.settle();
  }

  /** A miner's end of a new session. */
  connect(): Channel {
    const [mine, theirs] = createChannelPair({ direct: false });
    this.#get().acceptMiner("sim", theirs);
    return mine;
  }

  /** Submits a job and returns its id. */
  async submit(job: JobInput): Promise<string> {
    const { text } = await this.#get().submit(CLIENT, JobSubmission.parse(job));
    return JobView.parse(JSON.parse(text)).job_id;
  }

  /** Whether the job was canceled by this call. */
  async cancel(jobId: string): Promise<boolean> {
    return this.#get()
      .cancel(CLIENT, jobId)
      .then(
        () => true,
        () => false,
      );
  }

  /** Time passes for everybody, and nobody sends anything meanwhile. */
  async advance(ms: number): Promise<void> {
    this.time += ms;
    this.#wall += ms;
    mock.timers.tick(ms);
    await this.#idle();
  }

  /** How many turns of the loop the next signatures and verifications take, in the order in which they are asked for. */
  sign(inTurns: readonly number[]): void {
    turns = [...inTurns];
  }

  /** Holds the signatures that are asked for in `during`; the returned function lets them come, however late. */
  async hold(during: () => Promise<void>): Promise<() => void> {
    const late: (() => void)[] = [];
    held = late;
    try {
      await during();
    } finally {
      held = undefined;
    }
    this.findings.expect(late.length > 0, "nothing was signed: the schedule tests nothing");
    return () => {
      for (const begin of late) begin();
    };
  }

  /** Somebody sets the machine's wall clock. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  /** Waits until everything that was sent has had its effect. */
  async settle(): Promise<void> {
    await this.#idle();
    await this.advance(FLUSH_MS);
  }

  async #idle(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; quiet < IDLE_TURNS; turn++) {
      if (turn > MAX_TURNS)
        throw new Error(
          `the coordinator does not come to rest: ${this.#operations} operations, ${signing} signatures`,
        );
      await nextTurn();
      quiet = this.#operations === 0 && signing === 0 ? quiet + 1 : 0;
    }
  }

  #get(): Coordinator {
    if (!this.#coordinator) throw new Error("the coordinator is stopped");
    return this.#coordinator;
  }

  /** A log whose errors are findings. */
  #listen(): Log {
    const log = createLog({ level: "silent", format: "json", terminal: false });
    const error = (...parts: readonly unknown[]): void =>
      this.findings.add(
        `logged as an error: ${JSON.stringify(parts, (_, value) => (value instanceof Error ? value.stack : value))}`,
      );
    // Only these two are heard; the rest stays pino's.
    return Object.assign(Object.create(log), { error, fatal: error }) as Log;
  }
}
