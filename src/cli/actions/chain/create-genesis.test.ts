import { describe, expect, it } from "vitest";
import { person } from "../../../../test/harness/ledger.ts";
import type { Io } from "../../io.ts";
import { type CreateGenesisOptions, createGenesis } from "./create-genesis.ts";

const [validator, alice] = [person("validator"), person("alice")];

/** What a command prints that creates a chain; one validator, unless it is said otherwise. */
async function create(options: Partial<CreateGenesisOptions>) {
  const printed = { stdout: "", stderr: "" };
  const outputOf = (name: "stdout" | "stderr") => ({
    write(part: string): boolean {
      printed[name] += part;
      return true;
    },
    once() {},
  });
  const io = { env: {}, cwd: "/", stdout: outputOf("stdout"), stderr: outputOf("stderr") };
  // The command uses these parts of the process and no other.
  await createGenesis(io as unknown as Io, { chainId: "mine", validator: [validator.publicKey], ...options });
  return printed;
}

describe("chain genesis create", () => {
  it("takes amounts in AIT, keys as hex too, and changes of parameters", async () => {
    const { stdout, stderr } = await create({
      validator: [Buffer.from(validator.key.publicKey).toString("hex"), alice.publicKey],
      account: [`${alice.address}=1.5+2`],
      param: ["base_fee_uait=25", "ballot_seconds=90"],
      time: "2026-11-21T12:00:00Z",
    });
    expect(JSON.parse(stdout)).toMatchObject({
      chain_id: "mine",
      time: 1_795_262_400_000,
      params: { base_fee_uait: "25", ballot_seconds: 90, max_block_bytes: 524_288 },
      accounts: [{ address: alice.address, balance: "1500000", stake: "2000000" }],
    });
    expect(stderr).toMatch(/^genesis hash [0-9a-f]{64}\n/);
    expect(stderr).toContain(validator.address);
    expect(stderr).not.toContain("faucet");
  });

  it.each<readonly [what: string, options: Partial<CreateGenesisOptions>, hint: string]>([
    ["no validator", { validator: [] }, "--validator"],
    ["a key that is none", { validator: ["abc"] }, "--validator abc"],
    ["a name that no chain can have", { chainId: "My Chain" }, "/chain_id"],
    ["a parameter that is none", { param: ["reward=1"] }, "base_fee_uait"],
    ["a parameter without a value", { param: ["base_fee_uait"] }, "has no ="],
    ["a parameter out of range", { param: ["ballot_seconds=1"] }, "/params/ballot_seconds"],
    ["too many decimals", { account: [`${alice.address}=0.0000001`] }, "six decimals"],
    ["three amounts", { account: [`${alice.address}=1+2+3`] }, "address=ait+stake"],
    ["an address that is none", { account: ["ait1=5"] }, "/accounts/0/address"],
    ["a time that is none", { time: "noon" }, "--time noon"],
  ])("refuses %s", async (_what, options, hint) => {
    await expect(create(options)).rejects.toThrow(hint);
  });
});
