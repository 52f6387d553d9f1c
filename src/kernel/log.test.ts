import { describe, expect, it } from "vitest";
import { createLog, listRecentRecords } from "./log.ts";

describe("the latest records of a log", () => {
  it("are newest first, by level, bounded, and without what is never logged", () => {
    const log = createLog({ level: "silent", format: "json", terminal: false });
    expect(listRecentRecords(log, { limit: 10 })).toEqual([]);
    const loud = createLog({ level: "fatal", format: "json", terminal: false });
    loud.error({ prompt: "x" }, "below the level");
    expect(listRecentRecords(loud, { limit: 10 })).toEqual([]);
    for (let index = 0; index < 3; index++) loud.fatal({ index, prompt: "secret words" }, "kept");
    const records = listRecentRecords(loud, { level: "fatal", limit: 2 });
    expect(records.map(({ index }) => index)).toEqual([2, 1]);
    expect(JSON.stringify(records)).not.toContain("secret words");
    expect(listRecentRecords(loud, { level: "silent", limit: 2 })).toEqual([]);
  });
});
