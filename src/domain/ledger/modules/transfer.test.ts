import { expect, it } from "vitest";
import { fund, genesisOf, person, TestChain } from "../../../../test/harness/ledger.ts";
import { addressOfModule } from "../../../crypto/address.ts";

const [validator, alice] = [person("validator"), person("alice")];

it("TRANSFER does not go to a module, whose money nobody could move", () => {
  const chain = new TestChain(genesisOf([validator], [fund(alice)]));
  expect(() => chain.sign(alice, "TRANSFER", { to: addressOfModule("treasury"), amount: "1" })).toThrow(
    "/payload/to",
  );
});
