/** What consensus itself asks of a block; what its transactions do is for the ledger. */
import { type Block, formatBlock } from "./block.ts";
import { type Certificate, certificateHash, verifyCertificate } from "./certificate.ts";
import type { HeaderFrame, HeightInput } from "./event.ts";
import { HEADER_VERSION } from "./header.ts";
import type { Settings } from "./state.ts";

/** The part of a header that is the same for every block of a height by this proposer. */
export function frameOf(
  { chainId }: Settings,
  { height, parent, validators, nextValidators }: HeightInput,
  proposer: string,
): HeaderFrame {
  return {
    version: HEADER_VERSION,
    chain_id: chainId,
    height,
    parent_hash: parent.hash,
    proposer,
    validators_hash: validators.hash,
    next_validators_hash: nextValidators.hash,
    last_commit_hash: certificateHash(parent.commit?.certificate ?? null),
  };
}

/**
 * Why a block cannot stand at this height, or undefined. The answer rests on the block and those below it alone,
 * never on the clock: what was acceptable once must stay so (`isTimely` is asked of fresh proposals only).
 */
export function findBlockProblem(block: Block, settings: Settings, input: HeightInput): string | undefined {
  const { header, last_commit } = block;
  const { validators, parent } = input;
  if (!validators.has(header.proposer)) return "its maker is no validator";
  // The certificate below may be made of other votes than the own one: its hash is the block's own business.
  const { last_commit_hash } = header;
  const frame = { ...frameOf(settings, input, header.proposer), last_commit_hash };
  const names = Object.keys(frame) as (keyof HeaderFrame)[];
  const differing = names.find((name) => frame[name] !== header[name]);
  if (differing !== undefined) return `${differing} is not this height's`;
  if (header.time <= parent.time) return "its time is not above its parent's";
  if (!isLastCommit(last_commit, settings, input)) return "its last_commit does not prove its parent final";
  if (formatBlock(block).length > input.maxBlockBytes) return "it is larger than max_block_bytes";
  return undefined;
}

/** Whether a block's `last_commit` proves the block below final. */
function isLastCommit(
  lastCommit: Certificate | null,
  { realm, verify }: Settings,
  { height, parent }: HeightInput,
): boolean {
  if (parent.commit === null || lastCommit === null) return parent.commit === lastCommit;
  const { certificate, validators } = parent.commit;
  // The own one was verified when its block was committed.
  if (certificateHash(lastCommit) === certificateHash(certificate)) return true;
  return (
    lastCommit.height === height - 1 &&
    lastCommit.step === "precommit" &&
    lastCommit.block_hash === parent.hash &&
    verifyCertificate(lastCommit, validators, realm, verify)
  );
}
