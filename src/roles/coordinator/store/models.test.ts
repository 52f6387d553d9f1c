import { describe, expect, it } from "vitest";
import { openCoordinatorStore } from "../../../../test/harness/coordinator-store.ts";
import { listModels, noteModels } from "./models.ts";

describe("noteModels", () => {
  it("keeps when a name came first, and forgets those that it is told to", async () => {
    const { operation, db } = await openCoordinatorStore();
    await operation(noteModels, [{ name: "old", first_seen_at: 1 }], []);
    const known = { name: "known", first_seen_at: 2 };
    await operation(noteModels, [known, { name: "old", first_seen_at: 2 }], []);
    expect(await listModels(db, 9)).toEqual([known, { name: "old", first_seen_at: 1 }]);
    const fresh = { name: "fresh", first_seen_at: 3 };
    await operation(noteModels, [fresh], ["old", "never seen"]);
    expect(await listModels(db, 9)).toEqual([fresh, known]);
  });
});
