/** Commands about chains that need no daemon. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EXIT } from "../../src/kernel/errors.ts";
import { person } from "../harness/ledger.ts";
import { Sandbox } from "../harness/process.ts";

const [validator, alice] = [person("validator"), person("alice")];
const CREATE = [
  ...["--chain-id", "mine", "--validator", validator.publicKey, "--account", `${alice.address}=1000.5+2`],
  ...["--param", "base_fee_uait=25", "--time", "2026-11-21T12:00:00Z"],
];
/** Of the file that CREATE describes. Another one here means that every chain is another one. */
const HASH = "abb55ccf238a26bdbaff40472304626d441c07b4a6200e5a66b8158ad911266b";

let machine: Sandbox;
beforeAll(() => {
  machine = new Sandbox();
});
afterAll(() => machine[Symbol.asyncDispose]());

describe("chain genesis", () => {
  it("create writes a file once, and hash, show and validate read it", async () => {
    const file = join(machine.home, "genesis.json");
    const created = await machine.run(["chain", "genesis", "create", ...CREATE, "--file", file]);
    expect(created).toMatchObject({ code: 0, stdout: "" });
    expect(created.stderr).toContain("fewer than 4 validators");
    expect(created.stderr).toContain(HASH);
    const again = await machine.run(["chain", "genesis", "create", ...CREATE, "--file", file]);
    expect(again).toMatchObject({ code: EXIT.usage, stderr: expect.stringContaining("is left alone") });

    expect(await machine.run(["chain", "genesis", "hash", file])).toMatchObject({
      code: 0,
      stdout: `${HASH}\n`,
    });
    const shown = await machine.run(["chain", "genesis", "show", file]);
    expect(shown.stdout).toMatch(/supply +1002\.5 AIT/);
    expect(shown.stdout).toContain(validator.address);
    expect(shown.stdout).toMatch(/base_fee_uait +25 /);
    const valid = await machine.run(["chain", "genesis", "validate", file, "--output", "json"]);
    expect(JSON.parse(valid.stdout)).toMatchObject({ valid: true, genesis_hash: HASH });
  });

  it("create prints to stdout, and show reads stdin", async () => {
    const { stdout } = await machine.run(["chain", "genesis", "create", ...CREATE]);
    expect(JSON.parse(stdout)).toMatchObject({
      v: 1,
      chain_id: "mine",
      time: Date.parse("2026-11-21T12:00:00Z"),
    });
    const shown = await machine.run(["chain", "genesis", "show", "-", "--output", "json"], { input: stdout });
    expect(JSON.parse(shown.stdout)).toEqual(JSON.parse(stdout));
  });

  it("validate says what is wrong with a file, and where", async () => {
    const file = join(machine.home, "broken.json");
    const { stdout } = await machine.run(["chain", "genesis", "create", ...CREATE]);
    writeFileSync(file, stdout.replace('"balance": "1000500000"', '"balance": "-1"'));
    const { code, stderr } = await machine.run(["chain", "genesis", "validate", file]);
    expect(code).toBe(EXIT.usage);
    expect(stderr).toContain("/accounts/0/balance");
  });
});
