/** Plays a seed: a storm, then a calm in which the chain must go on. */
import { blockTimeMs, type Scenario, scenarioOf } from "./scenario.ts";
import { World } from "./world.ts";

/** After the network has healed every honest node must have a new block within so many block times. */
const BLOCK_TIMES = 10;

export interface Outcome {
  readonly scenario: Scenario;
  /** What must never be; empty when all is well. */
  readonly findings: readonly string[];
  /** Hash over everything that happened: the same for the same seed. */
  readonly traceHash: string;
  /** What happened, where it was asked for. */
  readonly lines: readonly string[];
  /** Final blocks. */
  readonly height: number;
  /** Offences of the faulty validator that somebody honest proved. */
  readonly offences: number;
  /** From the healing to the moment when every honest node had a new block, in ms. */
  readonly recoveryMs: number;
}

/** Plays one seed to its end, or to its first finding. */
export function simulate(seed: number, keepLines = false): Outcome {
  const scenario = scenarioOf(seed);
  const world = new World(scenario, keepLines);
  const isClean = (): boolean => world.witness.findings.length === 0;
  const restoreAt = scenario.restored === null ? Infinity : scenario.stormMs / 2;
  let isRestored = false;
  while (isClean() && world.agenda.now < scenario.stormMs && world.agenda.advance()) {
    if (world.agenda.now >= restoreAt && !isRestored) isRestored = restoreOne(world, scenario.restored);
  }
  world.heal();
  const goal = world.witness.height + 1;
  const endsAt = world.agenda.now + BLOCK_TIMES * blockTimeMs(scenario);
  const isThere = (): boolean => world.honest.every(({ height }) => height >= goal);
  const healedAt = world.agenda.now;
  while (isClean() && !isThere() && world.agenda.now <= endsAt) world.agenda.advance();
  if (isClean() && !isThere()) {
    world.find(`no new block within ${BLOCK_TIMES} block times after healing`);
  }
  return {
    scenario,
    findings: world.witness.findings,
    traceHash: world.traceHash,
    lines: world.lines ?? [],
    height: world.witness.height,
    offences: world.witness.offences.size,
    recoveryMs: world.agenda.now - healedAt,
  };
}

/** One node loses its disk. */
function restoreOne(world: World, restored: Scenario["restored"]): boolean {
  const node = world.honest.find((one) => one.key === restored?.key);
  if (!node || !restored) return true;
  if (node.isUp) node.crash();
  node.restore(restored.keepsSignState);
  node.start();
  return true;
}
