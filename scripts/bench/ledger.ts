/**
 * Measures what the ledger does in a second beside what the machine can verify: `node scripts/bench/ledger.ts
 * [--accounts 100000] [--senders 10000] [--blocks 12] [--json]`. README.md says what is measured.
 */
import { generateKeyPairSync, sign as nodeSign, verify as nodeVerify } from "node:crypto";
import { parseArgs } from "node:util";
import { canonicalize } from "../../src/crypto/canonical-json.ts";
import { SecretKey, sign, verify } from "../../src/crypto/ed25519.ts";
import { sha256 } from "../../src/crypto/hash.ts";
import { SparseMerkleTree } from "../../src/crypto/sparse-merkle.ts";
import { accountKey } from "../../src/domain/ledger/account.ts";
import { applyBlock, validateBlock } from "../../src/domain/ledger/block.ts";
import { proveEntry, verifyEntryProof } from "../../src/domain/ledger/proof.ts";
import { type BenchChain, createBenchChain } from "./ledger/chain.ts";

const { values } = parseArgs({
  options: {
    accounts: { type: "string", default: "100000" },
    senders: { type: "string", default: "10000" },
    blocks: { type: "string", default: "12" },
    json: { type: "boolean", default: false },
  },
});
const accounts = Number(values.accounts);
const senders = Math.min(Number(values.senders), accounts);

/** Part of the machine's limit that applying with verification must reach. */
const TARGET = 0.5;
const MESSAGE_BYTES = 300;
const VERIFICATIONS = 2000;
/** Changed entries in one batch: about those of a full block. */
const BATCH = 2000;

/** Things a second, by the wall clock and by the time that this thread had a processor. */
interface Rate {
  readonly wall: number;
  readonly thread: number;
}

/** How fast `count` things were done by `work`. */
function rate(count: number, work: () => void): Rate {
  const [began, before] = [performance.now(), process.threadCpuUsage()];
  work();
  const { user, system } = process.threadCpuUsage(before);
  return { wall: (count * 1000) / (performance.now() - began), thread: (count * 1e6) / (user + system) };
}

const wallOf = (rates: readonly Rate[]): number => Math.round(median(rates.map(({ wall }) => wall)));

/** Part of one rate that another is. */
function partOf(limit: readonly Rate[], rates: readonly Rate[], clock: keyof Rate): number {
  const [whole, part] = [limit, rates].map((each) => median(each.map((one) => one[clock])));
  return Number(((part ?? Number.NaN) / (whole ?? Number.NaN)).toFixed(3));
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

const message = new Uint8Array(MESSAGE_BYTES).fill(7);

/** The machine's limit: what node:crypto verifies under one key, with nothing around it. */
function createLimit(): () => Rate {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const signature = nodeSign(null, message, privateKey);
  return () =>
    rate(VERIFICATIONS, () => {
      for (let count = 0; count < VERIFICATIONS; count++) {
        if (!nodeVerify(null, message, publicKey, signature)) throw new Error("does not verify");
      }
    });
}

/** Verifications by the rule of this program under as many keys, which have to be taken in first. */
function createLimitOfMany(keys: number): () => Rate {
  const signed = Array.from({ length: keys }, (_, index) => {
    const key = new SecretKey(sha256(`limit ${index}`));
    return { publicKey: key.publicKey, signature: sign(message, key) };
  });
  return () =>
    rate(VERIFICATIONS, () => {
      for (let count = 0; count < VERIFICATIONS; count++) {
        const each = signed[count % keys];
        if (!each || !verify(each.signature, message, each.publicKey)) throw new Error("does not verify");
      }
    });
}

function measureRoots(): number {
  const keys = Array.from({ length: accounts }, (_, index) => sha256(`root ${index}`));
  let tree = SparseMerkleTree.empty<string>(sha256);
  tree = tree.update(keys.map((key) => ({ key, value: "0" })));
  const rates = Array.from({ length: 10 }, (_, round) => {
    const changes = Array.from({ length: BATCH }, (_none, index) => ({
      key: keys[(index * 7919 + round * 104_729) % accounts] ?? new Uint8Array(32),
      value: `${round} ${index}`,
    }));
    return rate(BATCH, () => {
      tree = tree.update(changes);
    });
  });
  return wallOf(rates);
}

interface Proof {
  readonly depth: number;
  readonly bytes: number;
  readonly json: number;
  readonly verified_per_second: number;
}

function measureProof({ heads, blocks }: BenchChain): Proof {
  const state = heads[0]?.state;
  const proposer = blocks[0]?.header.proposer;
  if (!state || !proposer) throw new Error("there is no block");
  const proof = proveEntry(state, accountKey(proposer));
  const { wall } = rate(VERIFICATIONS, () => {
    for (let count = 0; count < VERIFICATIONS; count++) {
      if (!verifyEntryProof(proof, proof.name, state.root)) throw new Error("does not verify");
    }
  });
  const depth = proof.siblings.length;
  return {
    depth,
    bytes: depth * 32,
    json: canonicalize(proof).length,
    verified_per_second: Math.round(wall),
  };
}

function measure() {
  const limit = createLimit();
  const limitOfMany = createLimitOfMany(senders);
  const bench = createBenchChain(accounts, senders, Number(values.blocks));
  const rates: Record<"limit" | "limitOfMany" | "validate" | "apply", Rate[]> = {
    limit: [],
    limitOfMany: [],
    validate: [],
    apply: [],
  };
  bench.blocks.forEach((block, index) => {
    const head = bench.heads[index];
    if (!head) throw new Error("a block without its head");
    const count = block.transactions.length;
    rates.limit.push(limit());
    rates.validate.push(rate(count, () => void validateBlock(bench.chain, head, block)));
    rates.limitOfMany.push(limitOfMany());
    rates.apply.push(rate(count, () => void applyBlock(bench.chain, head, block)));
  });
  const first = bench.blocks[0]?.transactions ?? [];
  return {
    accounts,
    senders,
    transactions_per_block: first.length,
    transaction_bytes: Math.round(median(first.map((text) => text.length))),
    limit_per_second: wallOf(rates.limit),
    limit_many_keys_per_second: wallOf(rates.limitOfMany),
    validate_per_second: wallOf(rates.validate),
    apply_per_second: wallOf(rates.apply),
    part_of_limit: partOf(rates.limit, rates.validate, "wall"),
    part_of_limit_thread_time: partOf(rates.limit, rates.validate, "thread"),
    root_updates_per_second: measureRoots(),
    proof: measureProof(bench),
    rss_mib: Math.round(process.memoryUsage.rss() / 1024 / 1024),
  };
}

const result = measure();
if (values.json) console.log(JSON.stringify(result));
else console.dir(result);
if (result.part_of_limit < TARGET) {
  console.error(`missed: ${result.part_of_limit} of the machine's limit, ${TARGET} is the target`);
  process.exitCode = 1;
}
