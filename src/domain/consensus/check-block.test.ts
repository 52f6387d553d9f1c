import { describe, expect, it } from "vitest";
import { ConsensusBench } from "../../../test/harness/consensus.ts";
import type { Block } from "./block.ts";
import { type Certificate, certificateHash } from "./certificate.ts";
import { findBlockProblem } from "./check-block.ts";
import type { HeightInput } from "./event.ts";
import { headerHash } from "./header.ts";

const bench = new ConsensusBench(4, null);
const parent = bench.block();
const hash = headerHash(parent.header);
const own = bench.certificate([0, 1, 2], "precommit", 0, hash);

/** Height 2, on top of a block that the node itself saw become final by `own`. */
const input: HeightInput = {
  ...bench.input,
  height: 2,
  parent: { hash, time: parent.header.time, commit: { certificate: own, validators: bench.set } },
};

function problemWith(last_commit: Certificate | null): string | undefined {
  const header = {
    ...bench.block().header,
    ...{ height: 2, parent_hash: hash, time: parent.header.time + 1 },
    last_commit_hash: certificateHash(last_commit),
  };
  const block: Block = { header, transactions: [], last_commit };
  return findBlockProblem(block, bench.settings, input);
}

const REFUSED = "its last_commit does not prove its parent final";

describe("the certificate of the block below", () => {
  it("may be made of other votes than the own one", () => {
    expect(problemWith(own)).toBeUndefined();
    expect(problemWith(bench.certificate([1, 2, 3], "precommit", 0, hash))).toBeUndefined();
    expect(problemWith(bench.certificate([0, 1, 2, 3], "precommit", 4, hash))).toBeUndefined();
  });

  it("must be there, of precommits, for the parent, by a quorum", () => {
    expect(problemWith(null)).toBe(REFUSED);
    expect(problemWith(bench.certificate([0, 1, 2], "prevote", 0, hash))).toBe(REFUSED);
    expect(problemWith(bench.certificate([0, 1, 2], "precommit", 0, "ab".repeat(32)))).toBe(REFUSED);
    expect(problemWith(bench.certificate([0, 1], "precommit", 0, hash))).toBe(REFUSED);
    expect(problemWith({ ...own, height: 2 })).toBe(REFUSED);
    expect(problemWith({ ...own, round: 9 })).toBe(REFUSED);
  });

  it("is absent at height 1", () => {
    const first = { ...bench.block(0, { last_commit_hash: certificateHash(own) }), last_commit: own };
    expect(findBlockProblem(parent, bench.settings, bench.input)).toBeUndefined();
    expect(findBlockProblem(first, bench.settings, bench.input)).toBe(REFUSED);
  });
});
