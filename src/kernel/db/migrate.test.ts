import { join } from "node:path";
import { type Kysely, sql } from "kysely";
import { describe, expect, it, onTestFinished } from "vitest";
import { codeOf, freshDirectory } from "../../../test/harness/database.ts";
import { type Database, openDatabase } from "./database.ts";
import { type Migration, migrate } from "./migrate.ts";
import { strictTable } from "./schema.ts";

const table = (name: string): Migration => ({
  name,
  up: (db) => strictTable(db, name.replaceAll("-", "_")).addColumn("n", "integer").execute(),
});
const FIRST = table("alpha-0001-a");
const SECOND = table("alpha-0002-b");
const OTHER = table("beta-0001-c");

function open(): Database<object> {
  const database = openDatabase<object>({ path: join(freshDirectory(), "m.db"), onFatal: () => {} });
  onTestFinished(() => database[Symbol.asyncDispose]());
  return database;
}

async function tables(db: Kysely<object>): Promise<string[]> {
  return (await db.introspection.getTables()).map(({ name }) => name).sort();
}

async function hashes({ db }: Database<object>) {
  const found = await sql<{ sha256: string | null }>`
    select sha256 from kernel_migration order by position`.execute(db);
  return found.rows;
}

describe("migrate", () => {
  it("runs each migration once, in order", async () => {
    const database = open();
    expect(await migrate(database, [FIRST, OTHER])).toEqual([FIRST.name, OTHER.name]);
    expect(await migrate(database, [FIRST, OTHER])).toEqual([]);
    expect(await migrate(database, [FIRST, SECOND, OTHER])).toEqual([SECOND.name]);
    expect(await tables(database.db)).toEqual([
      "alpha_0001_a",
      "alpha_0002_b",
      "beta_0001_c",
      "kernel_migration",
    ]);
  });

  it("refuses a schema of a newer version, names it and says what to do", async () => {
    const database = open();
    await migrate(database, [FIRST, SECOND]);
    const older = migrate(database, [FIRST]);
    await expect(older).rejects.toThrow(/"alpha-0002-b".*run the newer version/);
    expect(await codeOf(migrate(database, [FIRST]))).toBe("SCHEMA_NEWER");
  });

  it("leaves the database as it was when one of them fails", async () => {
    const database = open();
    await migrate(database, [FIRST]);
    const broken: Migration = {
      name: "alpha-0003-broken",
      up: async (db) => void (await sql`insert into nowhere values (1)`.execute(db)),
    };
    await expect(migrate(database, [FIRST, SECOND, broken])).rejects.toThrow("no such table");
    expect(await tables(database.db)).toEqual(["alpha_0001_a", "kernel_migration"]);
    expect(await migrate(database, [FIRST, SECOND])).toEqual([SECOND.name]);
  });

  it("refuses a new migration before one that has run", async () => {
    const database = open();
    await migrate(database, [SECOND]);
    expect(await codeOf(migrate(database, [FIRST, SECOND]))).toBe("STORAGE_MISUSE");
  });

  it("refuses a released migration that was changed, before and after it has run", async () => {
    const database = open();
    await migrate(database, [FIRST]);
    const [ran] = await hashes(database);
    const released = { [FIRST.name]: ran?.sha256 ?? "" };
    expect(released[FIRST.name]).toMatch(/^[0-9a-f]{64}$/);
    const changed = { ...SECOND, name: FIRST.name };
    expect(await codeOf(migrate(open(), [changed], { released }))).toBe("SCHEMA_CHANGED");
    const other = open();
    await migrate(other, [changed]);
    const start = migrate(other, [FIRST], { released });
    await expect(start).rejects.toThrow(/"alpha-0001-a" is not the one that was released/);
    expect(await migrate(database, [FIRST, SECOND], { released })).toEqual([SECOND.name]);
  });

  it("goes on with a database whose version recorded no hashes", async () => {
    const database = open();
    await database.operation(async (tx) => {
      await sql`create table kernel_migration (position integer primary key, name text not null unique)`.execute(
        tx,
      );
      await sql`insert into kernel_migration values (1, ${FIRST.name})`.execute(tx);
    });
    expect(await migrate(database, [FIRST, SECOND], { released: { [FIRST.name]: "0" } })).toEqual([
      SECOND.name,
    ]);
    expect((await hashes(database)).map(({ sha256 }) => sha256?.length)).toEqual([undefined, 64]);
  });

  it("asks before an upgrade, but not on a fresh database, and stops when told so", async () => {
    const database = open();
    const asked: string[] = [];
    const beforeUpgrade = async (next: string): Promise<void> => {
      asked.push(next);
      throw new Error("no room");
    };
    await migrate(database, [FIRST], { beforeUpgrade });
    await migrate(database, [FIRST], { beforeUpgrade });
    expect(asked).toEqual([]);
    await expect(migrate(database, [FIRST, SECOND], { beforeUpgrade })).rejects.toThrow("no room");
    expect(asked).toEqual([SECOND.name]);
    expect(await tables(database.db)).toEqual(["alpha_0001_a", "kernel_migration"]);
  });

  it.each([[[SECOND, FIRST]], [[FIRST, FIRST]], [[{ ...FIRST, name: "nonsense" }]]])(
    "refuses a list that is misnamed or out of order",
    async (list) => {
      expect(await codeOf(migrate(open(), list))).toBe("STORAGE_MISUSE");
    },
  );
});

describe("strictTable", () => {
  it("refuses values of another type", async () => {
    const database = open();
    await migrate(database, [FIRST]);
    const wrong = database.operation((tx) => sql`insert into alpha_0001_a values ('text')`.execute(tx));
    await expect(wrong).rejects.toThrow("cannot store TEXT value in INTEGER column");
  });
});
