import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressOfMultisig } from "../../crypto/address.ts";
import { toBase64Url } from "../../crypto/bytes.ts";
import { SecretKey } from "../../crypto/ed25519.ts";
import { signBytes } from "../../crypto/sign-bytes.ts";
import { attachSignatures, verifyTransaction } from "../ledger/signing.ts";
import { parseTransaction } from "../ledger/transaction.ts";
import { createPolicy } from "./policy.ts";
import {
  addSignature,
  combineProposal,
  formatProposal,
  mergeProposals,
  type Proposal,
  parseProposal,
  proposeDocument,
  proposeTransaction,
  verifyCombined,
} from "./proposal.ts";

const keys = [1, 2, 3, 4].map((byte) => new SecretKey(new Uint8Array(32).fill(byte)));
const [a, b, c, outsider] = keys as [SecretKey, SecretKey, SecretKey, SecretKey];
const { policy, address } = createPolicy(
  2,
  [a, b, c].map(({ publicKey }) => publicKey),
);
const realm = new Uint8Array(32).fill(9);
const document = { purpose: "rent", amount: "12" };
const hasCode = (code: string) => expect.objectContaining({ code });

const signed = (proposal: Proposal, key: SecretKey): Proposal =>
  addSignature(proposal, key.publicKey, key.sign(signBytes(proposal.type, proposal.realm, proposal.text)));

const transaction = {
  v: 1,
  chain_id: "aitbc-test",
  type: "TRANSFER",
  nonce: 1,
  fee: "1000",
  multisig: policy,
  payload: { to: address, amount: "5" },
} as const;

describe("a policy", () => {
  it("has its keys in order, whatever order they were given in, and the address of the ledger", () => {
    const signers = [c, a, b].map(({ publicKey }) => publicKey);
    expect(createPolicy(2, signers)).toMatchObject({ policy, address });
    expect(addressOfMultisig({ threshold: 2, signers })).toBe(address);
  });

  it("is refused out of range", () => {
    expect(() => createPolicy(3, [a.publicKey, b.publicKey])).toThrow(hasCode("INVALID_ARGUMENT"));
    expect(() => createPolicy(1, [a.publicKey, a.publicKey])).toThrow(hasCode("INVALID_ARGUMENT"));
  });
});

describe("a document of several signers", () => {
  it("is proposed, signed by each on their own, combined, and verified", () => {
    const proposal = proposeDocument(policy, document, realm);
    expect(proposal.address).toBe(address);
    const byA = formatProposal(signed(parseProposal(formatProposal(proposal)), a));
    const byC = formatProposal(signed(parseProposal(formatProposal(proposal)), c));
    const combined = combineProposal(mergeProposals([byC, byA].map(parseProposal)));
    const verified = verifyCombined("document", realm, combined);
    expect(verified).toMatchObject({ address, content: { document } });
    expect(verified.signatures).toHaveLength(2);
  });

  it("has the same text whoever combines it, and in whatever order they signed", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([a, b, c], { minLength: 2 }), (signers) => {
        const proposal = signers.reduce(signed, proposeDocument(policy, document, realm));
        const twice = signers.reduce(signed, proposal);
        const text = combineProposal(proposal);
        expect(combineProposal(mergeProposals([proposal, twice, proposal]))).toBe(text);
        expect(verifyCombined("document", realm, text).signatures).toHaveLength(2);
      }),
    );
  });

  it("is not combined with too few signatures, or of different contents", () => {
    const proposal = signed(proposeDocument(policy, document, realm), a);
    expect(() => combineProposal(proposal)).toThrow("2 signatures are needed: 1 is missing");
    expect(() => combineProposal(mergeProposals([proposal, proposal]))).toThrow(hasCode("INVALID_SIGNATURE"));
    const other = signed(proposeDocument(policy, { ...document, amount: "13" }, realm), b);
    const elsewhere = signed(proposeDocument(policy, document, new Uint8Array(32)), b);
    for (const stranger of [other, elsewhere]) {
      expect(() => mergeProposals([proposal, stranger])).toThrow(hasCode("INVALID_ARGUMENT"));
    }
    expect(() => mergeProposals([])).toThrow(hasCode("INVALID_ARGUMENT"));
  });

  it("takes no signature that is not its own", () => {
    const proposal = proposeDocument(policy, document, realm);
    const good = a.sign(signBytes("document", realm, proposal.text));
    const refused = hasCode("INVALID_SIGNATURE");
    expect(() => signed(proposal, outsider)).toThrow(refused);
    expect(() => addSignature(proposal, b.publicKey, good)).toThrow(refused);
    expect(() => addSignature(proposal, a.publicKey, a.sign(signBytes("tx", realm, proposal.text)))).toThrow(
      refused,
    );
    const elsewhere = a.sign(signBytes("document", new Uint8Array(32), proposal.text));
    expect(() => addSignature(proposal, a.publicKey, elsewhere)).toThrow(refused);
    const text = formatProposal(addSignature(proposal, a.publicKey, good));
    expect(() => parseProposal(text.replace('"amount":"12"', '"amount":"13"'))).toThrow(refused);
  });

  it("does not verify when anything of it is changed", () => {
    const proposal = [a, b].reduce(signed, proposeDocument(policy, document, realm));
    const text = combineProposal(proposal);
    const three = signed(proposal, c);
    const forged: readonly [string, string][] = [
      ["another content", text.replace('"amount":"12"', '"amount":"13"')],
      ["a lower threshold", text.replace('"threshold":2', '"threshold":1')],
      ["one signature less", text.replace(/,\{"signature":"[^"]+","signer":\d\}\]/, "]")],
      ["the same signature twice", text.replace(/(\{"signature":"[^"]+","signer":\d\}),\{[^}]+\}/, "$1,$1")],
      ["another spelling", text.replace(",", ", ")],
      [
        "one signature more",
        formatProposal(three).replace(/.*/, () =>
          JSON.stringify({
            ...JSON.parse(text),
            signatures: JSON.parse(formatProposal(three)).signatures,
          }),
        ),
      ],
      ["a key less", text.replace(`${toBase64Url(proposal.keys[2] ?? a.publicKey)}`, "").replace(',""', "")],
    ];
    for (const [what, changed] of forged) {
      expect(changed, what).not.toBe(text);
      expect(() => verifyCombined("document", realm, changed), what).toThrow();
    }
    expect(() => verifyCombined("document", new Uint8Array(32), text)).toThrow(hasCode("INVALID_SIGNATURE"));
    expect(() => verifyCombined("tx", realm, text)).toThrow(hasCode("INVALID_PAYLOAD"));
  });
});

describe("a transaction of several signers", () => {
  it("comes out as the ledger takes it", () => {
    const proposal = [c, a].reduce(signed, proposeTransaction(transaction, realm));
    const text = combineProposal(parseProposal(formatProposal(proposal)));
    const parsed = parseTransaction(text);
    expect(parsed.sender).toBe(address);
    expect(verifyTransaction(parsed, realm)).toBe(true);
    expect(verifyTransaction(parsed, new Uint8Array(32))).toBe(false);
    expect(attachSignatures(transaction, proposal.signatures)).toBe(text);
    expect(verifyCombined("tx", realm, text).address).toBe(address);
  });

  it("is refused when the ledger would refuse it, or when it is signed already", () => {
    const refused = hasCode("INVALID_PAYLOAD");
    const signature = toBase64Url(new Uint8Array(64));
    for (const wrong of [
      { ...transaction, fee: "-1" },
      { ...transaction, type: "NONE" },
      { ...transaction, signatures: [{ signer: 0, signature }] },
      { ...transaction, multisig: { ...policy, public_keys: policy.public_keys.toReversed() } },
    ])
      expect(() => proposeTransaction(wrong, realm)).toThrow(refused);
  });
});
