/** Vectors of what wallets share: accounts of a phrase, documents, and accounts of several keys. */
import { addressOfKey, addressOfMultisig } from "../../src/crypto/address.ts";
import { seedOfPhrase } from "../../src/crypto/bip39.ts";
import { toHex } from "../../src/crypto/bytes.ts";
import { type Canonicalizable, canonicalizeSigned } from "../../src/crypto/canonical-json.ts";
import { SecretKey } from "../../src/crypto/ed25519.ts";
import { sha256 } from "../../src/crypto/hash.ts";
import { signBytes } from "../../src/crypto/sign-bytes.ts";
import { deriveNode, formatPath } from "../../src/crypto/slip10.ts";
import { createPolicy } from "../../src/domain/multisig/policy.ts";
import {
  addSignature,
  combineProposal,
  formatProposal,
  type Proposal,
  proposeDocument,
} from "../../src/domain/multisig/proposal.ts";
import { seededKey } from "../../test/harness/receipts.ts";

/** The phrase of BIP-39's first vector. */
const PHRASE = `${"abandon ".repeat(11)}about`;
/** m/44'/6383988'/i': the coin type is the letters `ait`. */
const pathOf = (index: number): readonly number[] => [44, 6_383_988, index];
const REALM = sha256("a genesis file");

const signers = ["multisig a", "multisig b", "multisig c"].map((name) => seededKey(name));

/** Everything of `protocols/vectors/wallet.json`. */
export async function walletVectors(): Promise<Canonicalizable> {
  const seed = await seedOfPhrase(PHRASE);
  return {
    about:
      "accounts: of the phrase, without a BIP-39 passphrase. documents: sign_bytes are aitbc/document/v1, a zero byte, the realm, the canonical document. multisig: README.md of protocols says how. All bytes are hex unless their name says otherwise.",
    phrase: PHRASE,
    accounts: [0, 1, 2].map((index) => account(seed, index)),
    documents: [document({ rent: 12, paid: true }), document({ memo: 'a "quoted" text' })],
    multisig: { addresses: [1, 2, 3].map(multisigAddress), proposals: [proposal(1), proposal(2)] },
  };
}

function account(seed: Uint8Array, index: number): Canonicalizable {
  const secret = deriveNode(seed, pathOf(index)).secretKey;
  const { publicKey } = new SecretKey(secret);
  return {
    path: formatPath(pathOf(index)),
    secret_key: toHex(secret),
    public_key: toHex(publicKey),
    address: addressOfKey(publicKey),
  };
}

function document(payload: { readonly [name: string]: Canonicalizable }): Canonicalizable {
  const key = seededKey("multisig a");
  const bytes = signBytes("document", REALM, canonicalizeSigned(payload));
  return {
    document: payload,
    realm: toHex(REALM),
    sign_bytes: toHex(bytes),
    public_key: toHex(key.publicKey),
    signature: toHex(key.sign(bytes)),
  };
}

function multisigAddress(threshold: number): Canonicalizable {
  const keys = signers.map(({ publicKey }) => publicKey);
  return {
    threshold,
    public_keys: keys.map(toHex),
    address: addressOfMultisig({ threshold, signers: keys }),
  };
}

function proposal(threshold: number): Canonicalizable {
  const { policy, address } = createPolicy(
    threshold,
    signers.map(({ publicKey }) => publicKey),
  );
  const proposed = proposeDocument(policy, { purpose: "rent", amount: "12000000" }, REALM);
  const signed = signers.slice(0, threshold).reduce(sign, proposed);
  return { address, proposal: formatProposal(signed), combined: combineProposal(signed) };
}

function sign(proposed: Proposal, key: SecretKey): Proposal {
  const signature = key.sign(signBytes(proposed.type, proposed.realm, proposed.text));
  return addSignature(proposed, key.publicKey, signature);
}
