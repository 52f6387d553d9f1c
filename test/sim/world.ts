/** One simulated chain from its first moment to its end: nodes, network, clocks and faults, all from one seed. */
import { RunningHash } from "../../src/crypto/hash.ts";
import type { FinalBlock } from "../../src/domain/consensus/block.ts";
import type { Evidence } from "../../src/domain/consensus/evidence.ts";
import type { ConsensusMessage } from "../../src/domain/consensus/message.ts";
import type { Settings } from "../../src/domain/consensus/state.ts";
import { addressOf, keyOf } from "../harness/validators.ts";
import { Agenda } from "./agenda.ts";
import { CHAIN_ID, changeOf, EPOCH, GENESIS } from "./chain.ts";
import { carried } from "./codec.ts";
import { Liar } from "./liar.ts";
import { Network } from "./network.ts";
import { Node, type Surroundings } from "./node.ts";
import { Random } from "./random.ts";
import { type Scenario, TIMING } from "./scenario.ts";
import { ed25519Signatures, type SignaturePort, STAND_IN_SIGNATURES } from "./signatures.ts";
import { Witness } from "./witness.ts";

/** Between two effects of an honest node in the storm, of a thousand. */
const STRIKES_PER_MILLE = 8;
/** How long a node stays down, ms. */
const DOWN_MS = [5, 500] as const;
/** A transaction comes to some node so often, ms. */
const TRANSACTION_MS = [50, 800] as const;
/** How often the twins' peers are dealt out anew, ms. */
const DEAL_MS = [50, 1_000] as const;

export class World implements Surroundings {
  readonly scenario: Scenario;
  readonly agenda = new Agenda();
  readonly random: Random;
  readonly witness: Witness;
  readonly nodes: readonly Node[];
  readonly lines: string[] | null;
  readonly #network: Network;
  readonly #hash = new RunningHash();
  readonly #liars = new Map<string, Liar>();
  /** Which of the twins an honest node hears and is heard by. */
  readonly #twinOf = new Map<string, string>();
  #isStorm = true;

  /** `keepLines`: whether the trace is kept as text, besides its hash. */
  constructor(scenario: Scenario, keepLines: boolean) {
    this.scenario = scenario;
    this.random = new Random(scenario.seed + 1);
    this.lines = keepLines ? [] : null;
    const signatures = scenario.real ? ed25519Signatures() : STAND_IN_SIGNATURES;
    this.witness = new Witness(signatures.verify, scenario.faulty?.key);
    this.nodes = [...scenario.validators, ...scenario.observers].flatMap((key) =>
      this.#nodesOf(key, signatures),
    );
    const ids = this.nodes.map(({ id }) => id);
    this.#network = new Network(
      scenario,
      this.agenda,
      this.random,
      ids,
      this.honest.map(({ id }) => id),
    );
    for (const node of this.nodes) this.agenda.after(this.random.between(0, 50), () => node.start());
    this.#comeTransactions(0);
    this.#deal();
    for (const { atMs, keys } of scenario.changes) {
      this.agenda.after(atMs, () => this.#submitToAll(changeOf(keys)));
    }
  }

  get genesis(): readonly number[] {
    return this.scenario.validators;
  }

  get honest(): readonly Node[] {
    return this.nodes.filter(({ isHonest }) => isHonest);
  }

  /** Hash over everything that happened so far. */
  get traceHash(): string {
    return this.#hash.hex();
  }

  /** The network heals, and who is down comes back. */
  heal(): void {
    this.trace("the network heals");
    this.#isStorm = false;
    this.#network.heal();
    for (const node of this.nodes) if (!node.isUp) node.start();
  }

  wallClock(key: number): number {
    return EPOCH + this.agenda.now + (this.scenario.skewsMs[key] ?? 0);
  }

  syncMs(): number {
    return this.random.between(0, this.scenario.syncMs);
  }

  strikes(node: Node): boolean {
    if (!this.#isStorm || !this.scenario.crashes || !node.isHonest) return false;
    if (this.random.between(0, 999) >= STRIKES_PER_MILLE) return false;
    node.crash();
    this.agenda.after(this.random.between(...DOWN_MS), () => {
      if (!node.isUp) node.start();
    });
    return true;
  }

  send(from: Node, to: string | null, message: ConsensusMessage): void {
    const address = addressOf(from.key);
    if (from.isHonest) this.witness.noteSaid(message, address, (height) => from.quorumAt(height));
    for (const node of this.nodes) {
      if (node === from || (to !== null && node.id !== to) || !this.#canTalk(from, node)) continue;
      const said = this.#liars.get(from.id)?.says(message) ?? [message];
      for (const one of said) this.#carry(from, node, one);
    }
  }

  noteFinal(node: Node, final: FinalBlock): void {
    this.trace(`${node.id} holds ${final.block.header.height} final: ${final.certificate.block_hash}`);
    if (node.isHonest) this.witness.noteFinal(node.id, final);
  }

  noteEvidence(node: Node, evidence: Evidence): void {
    if (node.isHonest) this.witness.noteEvidence(node.id, evidence);
  }

  notePeer(node: Node, peer: string, reason: string): void {
    const isFalse = node.isHonest && this.nodes.find(({ id }) => id === peer)?.isHonest;
    if (isFalse) this.find(`${node.id} reports honest ${peer}: ${reason}`);
  }

  find(finding: string): void {
    this.trace(`✗ ${finding}`);
    this.witness.find(finding);
  }

  trace(line: string): void {
    const text = `${this.agenda.now} ${line}`;
    this.#hash.update(`${text}\n`);
    this.lines?.push(text);
  }

  #nodesOf(key: number, signatures: SignaturePort): readonly Node[] {
    const sign = signatures.signer(keyOf(key));
    const address = addressOf(key);
    const settings: Settings = {
      chainId: CHAIN_ID,
      realm: GENESIS,
      signer: { address, sign },
      verify: signatures.verify,
      timing: TIMING,
    };
    const { faulty } = this.scenario;
    const fault = faulty?.key === key ? faulty.fault : undefined;
    if (fault === "twins")
      return ["a", "b"].map((twin) => new Node(this, `n${key}${twin}`, key, false, settings));
    const id = `n${key}`;
    if (fault === "liar")
      this.#liars.set(id, new Liar(address, sign, () => this.wallClock(key), this.random));
    return [new Node(this, id, key, fault === undefined, settings)];
  }

  #canTalk(a: Node, b: Node): boolean {
    if (a.key === b.key) return false;
    if (this.scenario.faulty?.fault !== "twins") return true;
    if (!a.isHonest) return this.#twinOf.get(b.id) === a.id;
    return b.isHonest || this.#twinOf.get(a.id) === b.id;
  }

  #carry(from: Node, to: Node, message: ConsensusMessage): void {
    this.witness.noteVotes(message);
    this.#network.carry(from.id, to.id, message, () => {
      // With real signatures every message goes through its text, as on a wire.
      const read = this.scenario.real ? carried(message, (text) => text) : message;
      this.trace(`${from.id} > ${to.id} ${describe(message)}`);
      if (!to.isUp || !read) return;
      to.receive(from.id, read);
      for (const one of this.#liars.get(to.id)?.hears(read) ?? []) {
        for (const node of this.nodes) if (node !== to) this.#carry(to, node, one);
      }
    });
  }

  /** Deals the honest nodes out to the twins, and comes again. */
  #deal(): void {
    if (this.scenario.faulty?.fault !== "twins") return;
    const [first, second] = this.nodes.filter(({ isHonest }) => !isHonest);
    for (const { id } of this.honest) {
      const twin = this.random.chance(50) ? first : second;
      if (twin) this.#twinOf.set(id, twin.id);
    }
    this.agenda.after(this.random.between(...DEAL_MS), () => this.#deal());
  }

  #comeTransactions(number: number): void {
    this.#submitToAll(`pay ${number}`);
    this.agenda.after(this.random.between(...TRANSACTION_MS), () => this.#comeTransactions(number + 1));
  }

  /** To each node at another moment, as gossip would. */
  #submitToAll(transaction: string): void {
    for (const node of this.nodes) {
      this.agenda.after(this.random.between(1, this.scenario.stormDelayMs), () => node.submit(transaction));
    }
  }
}

/** A message in a few words, different for different votes. */
function describe(message: ConsensusMessage): string {
  switch (message.type) {
    case "vote": {
      const { height, round, step, block_hash, signature } = message.vote;
      return `${step} ${height}/${round} ${block_hash?.slice(0, 8) ?? "none"} ${signature.slice(0, 8)}`;
    }
    case "proposal": {
      const { height, round, valid_round, block_hash } = message.proposal;
      return `proposal ${height}/${round} of ${valid_round} ${block_hash.slice(0, 8)}`;
    }
    case "status":
      return `status ${message.height}/${message.round} ${message.prevotes} ${message.precommits}`;
    case "proof":
      return `proof ${message.certificate.height}/${message.certificate.round}`;
    default:
      return `${message.type} ${message.block.header.height}`;
  }
}
