/** Test vectors of `src/domain/ledger`: transactions, the state tree, and a chain of a few blocks. */
import { addressOfMultisig } from "../../src/crypto/address.ts";
import { toHex } from "../../src/crypto/bytes.ts";
import { type Canonicalizable, canonicalizeSigned } from "../../src/crypto/canonical-json.ts";
import { sign } from "../../src/crypto/ed25519.ts";
import { findVoteEvidence } from "../../src/domain/consensus/evidence.ts";
import { signerOf, signVote, type VoteContent } from "../../src/domain/consensus/vote.ts";
import { accountKey } from "../../src/domain/ledger/account.ts";
import { rulesAbove, startChain } from "../../src/domain/ledger/block.ts";
import { hashName } from "../../src/domain/ledger/entry.ts";
import { genesisHash, genesisToJson } from "../../src/domain/ledger/genesis.ts";
import { DEFAULT_PARAMS } from "../../src/domain/ledger/params.ts";
import { proveEntry } from "../../src/domain/ledger/proof.ts";
import type { Payloads, TransactionType } from "../../src/domain/ledger/registry.ts";
import {
  attachSignatures,
  buildTransaction,
  formatUnsigned,
  transactionSignBytes,
} from "../../src/domain/ledger/signing.ts";
import { listEntries } from "../../src/domain/ledger/snapshot.ts";
import type { LedgerState } from "../../src/domain/ledger/state.ts";
import { parseTransaction, type Transaction } from "../../src/domain/ledger/transaction.ts";
import { fund, genesisOf, type Person, person, TestChain } from "../../test/harness/ledger.ts";

const [validator, alice, bob, carol] = [person("validator"), person("alice"), person("bob"), person("carol")];
const GENESIS = genesisOf([validator], [fund(alice), fund(validator, 50_000n, 20_000n)], {
  faucet_max_uait: 1_000_000n,
  equivocation_slash_ppm: 250_000,
});
const SIGNERS = [alice, bob, carol].sort((a, b) => Buffer.compare(a.key.publicKey, b.key.publicKey));
const MULTISIG = { threshold: 2, public_keys: SIGNERS.map(({ publicKey }) => publicKey) };
const MULTISIG_ADDRESS = addressOfMultisig({
  threshold: 2,
  signers: SIGNERS.map(({ key }) => key.publicKey),
});

/** Two votes of the validator that contradict each other. */
function equivocation(realm: Uint8Array): Payloads["EVIDENCE"] {
  const vote = (fill: string) => {
    const content: VoteContent = {
      v: 1,
      height: 1,
      round: 0,
      step: "precommit",
      block_hash: fill.repeat(64),
      validator: validator.address,
    };
    return signVote(content, realm, signerOf(validator.key));
  };
  const evidence = findVoteEvidence(vote("a"), vote("b"));
  if (!evidence) throw new Error("the votes contradict each other");
  return { evidence };
}

function* everyType(chain: TestChain): Generator<readonly [name: string, transaction: Transaction]> {
  const one = <Type extends TransactionType>(
    who: Person,
    type: Type,
    payload: Payloads[Type],
    nonce: number,
  ) => [type.toLowerCase(), chain.sign(who, type, payload, { nonce })] as const;
  yield one(alice, "TRANSFER", { to: MULTISIG_ADDRESS, amount: "250000" }, 1);
  yield one(alice, "STAKE", { amount: "70000" }, 2);
  yield one(alice, "UNSTAKE", { amount: "30000" }, 3);
  yield one(validator, "FAUCET", { to: bob.address, amount: "99" }, 1);
  yield one(validator, "VALIDATOR_VOTE", { action: "add", public_key: bob.publicKey }, 2);
  yield one(validator, "PARAM_UPDATE", { changes: { base_fee_uait: "20", ballot_seconds: 3600 } }, 3);
  yield one(carol, "EVIDENCE", equivocation(chain.chain.realm), 1);
  yield ["multisig", multisigTransfer(chain)];
}

function multisigTransfer(chain: TestChain): Transaction {
  const request = {
    chainId: chain.chain.chainId,
    type: "TRANSFER" as const,
    payload: { to: bob.address, amount: "1000" },
    nonce: 1,
    signer: { multisig: MULTISIG },
  };
  const unsigned = { ...buildTransaction(request, DEFAULT_PARAMS), multisig: MULTISIG };
  const message = transactionSignBytes(formatUnsigned(unsigned), chain.chain.realm);
  const signatures = SIGNERS.slice(1).map(({ key }, index) => ({
    signer: index + 1,
    signature: sign(message, key),
  }));
  return parseTransaction(attachSignatures(unsigned, signatures));
}

/** Transactions of every type, what is signed of them, and texts that are none. */
export function transactionVectors(): Canonicalizable {
  const chain = new TestChain(GENESIS);
  const all = [...everyType(chain)];
  const good = all[0]?.[1].text ?? "";
  return {
    about:
      "sign_bytes (hex): aitbc/tx/v1, a zero byte, genesis_hash, `unsigned`. hash: SHA-256 of `unsigned`. fee: the least, base_fee_uait + fee_per_byte_uait for each byte of `text` (for multisig accounts as if the last keys signed).",
    genesis: genesisToJson(GENESIS),
    genesis_hash: genesisHash(GENESIS),
    multisig: { ...MULTISIG, address: MULTISIG_ADDRESS },
    transactions: all.map(([name, transaction]) => ({
      name,
      text: transaction.text,
      unsigned: transaction.unsigned,
      sign_bytes: toHex(transactionSignBytes(transaction.unsigned, chain.chain.realm)),
      hash: transaction.hash,
      sender: transaction.sender,
      fee: String(transaction.fee),
    })),
    refused: [
      good.replace(",", ", "),
      good.replace('"v":1', '"v":1,"v":1'),
      good.replace('"v":1', '"v":2'),
      good.replace('"amount":"250000"', '"amount":"0250000"'),
      good.replace('"amount":"250000"', '"amount":250000'),
      good.replace('"amount":"250000"', '"amount":"0"'),
      good.replace('"nonce":1', '"nonce":0'),
      good.replace('"nonce":1', '"memo":"x","nonce":1'),
    ],
  };
}

const entriesOf = (state: LedgerState): Canonicalizable =>
  [...listEntries(state)].map((text) => {
    const { name, value } = JSON.parse(text) as { name: string; value: Canonicalizable };
    return { name, key: toHex(hashName(name)), value };
  });

/** States with all their entries, proofs about some, and the blocks between them. */
export function stateVectors(): Canonicalizable {
  const chain = new TestChain(GENESIS);
  const { head: first } = startChain(GENESIS);
  const transactions = [...everyType(chain)].map(([, transaction]) => transaction);
  const steps = [transactions, [], []].map((each) => {
    const { block, applied } = chain.produce(each);
    chain.head = applied.head;
    return {
      header: block.header,
      transactions: block.transactions,
      results: applied.results.map((result) => canonicalizeSigned(result)),
      state_root: applied.head.state.root,
      validators_above: rulesAbove(applied.head).validators.validators,
    };
  });
  const { state } = chain.head;
  const proofs = [alice, person("nobody"), person("stranger")].map(({ address }) =>
    proveEntry(state, accountKey(address)),
  );
  return {
    about:
      "key: SHA-256(name). Leaf: SHA-256(0x00, key, SHA-256(canonical value)). Node: SHA-256(0x01, left, right), by the next bit of the key, most significant first. A subtree of one leaf is that leaf, one of none is 32 zero bytes. Roots of lists: RFC 6962 over the texts. proofs: of the last state, siblings from the root down.",
    genesis_hash: genesisHash(GENESIS),
    genesis_state_root: first.state.root,
    genesis_entries: entriesOf(first.state),
    blocks: steps,
    last_entries: entriesOf(state),
    proofs,
  };
}
