/** Ledger and consensus together: validators that decide on real blocks, over a network that loses nothing. */
import { describe, expect, it } from "vitest";
import { verify } from "../../src/crypto/ed25519.ts";
import type { FinalBlock } from "../../src/domain/consensus/block.ts";
import { verifyCertificate } from "../../src/domain/consensus/certificate.ts";
import type { ConsensusEffect, ConsensusEvent, HeightInput } from "../../src/domain/consensus/event.ts";
import { headerHash } from "../../src/domain/consensus/header.ts";
import type { ConsensusMessage } from "../../src/domain/consensus/message.ts";
import { NEW_SIGN_STATE } from "../../src/domain/consensus/sign-state.ts";
import { createState, type Settings, type State } from "../../src/domain/consensus/state.ts";
import { step } from "../../src/domain/consensus/step.ts";
import { signerOf } from "../../src/domain/consensus/vote.ts";
import { accountKey } from "../../src/domain/ledger/account.ts";
import {
  applyBlock,
  type Chain,
  type Head,
  produceBlock,
  rulesAbove,
  startChain,
  validateBlock,
} from "../../src/domain/ledger/block.ts";
import type { Genesis } from "../../src/domain/ledger/genesis.ts";
import { proveEntry, verifyEntryProof } from "../../src/domain/ledger/proof.ts";
import type { Transaction } from "../../src/domain/ledger/transaction.ts";
import { fund, genesisOf, type Person, person, TestChain } from "../harness/ledger.ts";

const TIMING = { proposeMs: 1000, voteMs: 1000, growthMs: 500, emptyBlockMs: 1000, toleranceMs: 10_000 };
const BLOCK_MS = 1000;

type Send = (from: string, to: string | null, message: ConsensusMessage) => void;

/** One node: the reducer on one side, the ledger on the other. */
class Node {
  readonly address: string;
  readonly finals: FinalBlock[] = [];
  readonly pool: Transaction[] = [];
  readonly chain: Chain;
  head: Head;
  readonly #send: Send;
  #state: State;

  constructor(genesis: Genesis, { key, address }: Person, send: Send) {
    ({ chain: this.chain, head: this.head } = startChain(genesis));
    this.address = address;
    this.#send = send;
    const settings: Settings = {
      chainId: genesis.chainId,
      realm: this.chain.realm,
      signer: { address, sign: signerOf(key) },
      verify,
      timing: TIMING,
    };
    this.#state = createState(settings, this.#input(null), NEW_SIGN_STATE);
  }

  do(event: ConsensusEvent): void {
    const [state, effects] = step(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  get now(): number {
    return this.head.time + BLOCK_MS;
  }

  #input(commit: HeightInput["parent"]["commit"]): HeightInput {
    const { height, hash, time } = this.head;
    const { params, validators, nextValidators } = rulesAbove(this.head);
    const parent = { hash, time, commit };
    return { height: height + 1, validators, nextValidators, parent, maxBlockBytes: params.max_block_bytes };
  }

  #carryOut(effect: ConsensusEffect): void {
    if (effect.type === "send") this.#send(this.address, effect.to, effect.message);
    else if (effect.type === "produce_block") {
      const plan = { time: this.now, proposer: effect.frame.proposer, lastCommit: effect.lastCommit };
      const { block } = produceBlock(this.chain, this.head, plan, this.pool);
      expect(block.header).toMatchObject(effect.frame);
      this.do({ type: "block.produced", round: effect.round, block });
    } else if (effect.type === "validate_block") {
      const applied = validateBlock(this.chain, this.head, effect.block);
      this.do({ type: "block.validated", hash: effect.hash, valid: applied.head.hash === effect.hash });
    } else if (effect.type === "commit_block") this.#commit(effect.final);
    else if (effect.type === "halt") throw new Error(effect.reason);
  }

  #commit(final: FinalBlock): void {
    const { validators } = rulesAbove(this.head);
    this.finals.push(final);
    this.head = applyBlock(this.chain, this.head, final.block).head;
    const input = this.#input({ certificate: final.certificate, validators });
    this.do({ type: "height.started", input });
  }
}

/** Nodes that hear each other, message by message. */
class Network {
  readonly nodes: readonly Node[];
  readonly #queue: {
    readonly from: string;
    readonly to: string | null;
    readonly message: ConsensusMessage;
  }[] = [];

  constructor(genesis: Genesis, people: readonly Person[]) {
    const send: Send = (from, to, message) => void this.#queue.push({ from, to, message });
    this.nodes = people.map((each) => new Node(genesis, each, send));
  }

  /** Runs until every node has this height. */
  runTo(height: number): void {
    while (this.nodes.some((node) => node.head.height < height)) {
      for (const node of this.nodes) if (node.head.height < height) node.do({ type: "work.arrived" });
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        const { from, to, message } = next;
        for (const node of this.nodes) {
          if (node.address === from || (to !== null && to !== node.address)) continue;
          node.do({ type: "message.received", from, message, now: node.now });
        }
      }
    }
  }
}

const validators = ["v1", "v2", "v3"].map(person);
const [newcomer, alice, bob] = [person("newcomer"), person("alice"), person("bob")];
const genesis = genesisOf(
  validators,
  [...validators, alice].map((each) => fund(each)),
);
/** Signs for the chain that all the nodes begin with. */
const pen = new TestChain(genesis);

describe("a chain of validators", () => {
  const network = new Network(genesis, [...validators, newcomer]);
  const transfer = pen.sign(alice, "TRANSFER", { to: bob.address, amount: "5" });
  const votes = validators.map((by) =>
    pen.sign(by, "VALIDATOR_VOTE", { action: "add", public_key: newcomer.publicKey }),
  );
  for (const node of network.nodes) node.pool.push(transfer, ...votes);
  network.runTo(6);
  const [first, ...others] = network.nodes;
  if (!first) throw new Error("there are four nodes");

  it("comes to one head, with one state, on every node", () => {
    expect(others.map(({ head }) => head.hash)).toEqual(others.map(() => first.head.hash));
    expect(first.head.state.find(accountKey(bob.address))?.balance).toBe(5n);
    expect(first.finals[0]?.block.transactions).toHaveLength(4);
    expect(first.finals.slice(1).flatMap(({ block }) => block.transactions)).toEqual([]);
  });

  it("lets the validator that it voted for decide two heights later", () => {
    const signers = first.finals.map(({ certificate }) => certificate.signatures.length);
    expect(signers.slice(0, 2)).toEqual([3, 3]);
    const byNewcomer = network.nodes.flatMap(({ finals }) =>
      finals.filter(({ certificate }) =>
        certificate.signatures.some(({ validator }) => validator === newcomer.address),
      ),
    );
    expect(byNewcomer.every(({ block }) => block.header.height > 2)).toBe(true);
    expect(byNewcomer.length).toBeGreaterThan(0);
    expect(first.finals.some(({ block }) => block.header.proposer === newcomer.address)).toBe(true);
  });

  it("proves an account offline: a certificate, a header, and the way from its root", () => {
    const head = startChain(genesis);
    const [final] = first.finals;
    if (!final) throw new Error("there is a first block");
    const { certificate, block } = final;
    const state = applyBlock(head.chain, head.head, block).head.state;
    const proof = proveEntry(state, accountKey(bob.address));
    // All that the client knows beforehand is the genesis file.
    expect(verifyCertificate(certificate, genesis.validators, head.chain.realm)).toBe(true);
    expect([certificate.step, certificate.block_hash]).toEqual(["precommit", headerHash(block.header)]);
    expect(verifyEntryProof(proof, accountKey(bob.address).name, block.header.state_root)).toBe(true);
    expect(proof.value).toBe('{"balance":"5","nonce":0,"stake":"0"}');
  });
});
