/** Who signed a receipt, and whether the names in it are those of the signers. */
import { addressOfKey, isAddress } from "../../crypto/address.ts";
import { fromBase64Url } from "../../crypto/bytes.ts";
import { PUBLIC_KEY_BYTES } from "../../crypto/ed25519.ts";
import { decided, failed, type Line, notProven, type Pins, proven } from "./evidence.ts";
import type { SignatureBlock } from "./fields.ts";
import type { ParsedReceipt } from "./parse.ts";
import { verifyBlock } from "./sign.ts";

/** A valid signature that counts, and whether its key is pinned. */
export interface Signer {
  readonly keyId: string;
  readonly role: "miner" | "coordinator";
  readonly pinned: boolean;
}

export interface SignerReport {
  readonly lines: readonly Line[];
  readonly signers: readonly Signer[];
}

/** Address of the key in a block, or undefined where the block holds no key. */
function addressOfBlock(block: { readonly key_id: string }): string | undefined {
  try {
    return addressOfKey(fromBase64Url("key_id", block.key_id, PUBLIC_KEY_BYTES));
  } catch {
    return undefined;
  }
}

/** The line that says whether the caller knows a key. */
export function keyLine(signer: Signer): Line {
  const check = `${signer.role}_key`;
  return signer.pinned
    ? proven(check, `${signer.keyId} is a ${signer.role} key that you named`)
    : notProven(
        check,
        `signature valid, signer unknown: whose key ${signer.keyId} is was not shown; name it with --${signer.role}-key`,
      );
}

/** Checks the miner's signature and that `provider` is the address of its key. */
export function verifyMiner(parsed: ParsedReceipt, pins: Pins): SignerReport {
  const { signature } = parsed;
  const provider = String(parsed.receipt["provider"]);
  if (!signature) {
    const detail = "the miner did not sign: what it delivered rests on the lines below";
    return { lines: [notProven("miner_signature", detail)], signers: [] };
  }
  if (!verifyBlock(signature, parsed.bytes)) {
    const detail =
      "the miner's signature does not match the receipt: a member was changed, or the key is not the signer's";
    return { lines: [failed("miner_signature", detail)], signers: [] };
  }
  const pinned = pins.minerKeys?.includes(signature.key_id) ?? false;
  const signer: Signer = { keyId: signature.key_id, role: "miner", pinned };
  return {
    lines: [
      proven("miner_signature", "the miner signed every member of the receipt"),
      providerLine(parsed.version, provider, signature),
      keyLine(signer),
    ],
    signers: [signer],
  };
}

/** Whether `provider` belongs to the key that signed. Legacy receipts may name it in another way. */
export function providerLine(
  version: ParsedReceipt["version"],
  provider: string,
  key: { readonly key_id: string },
): Line {
  if (version === "1.0" && !isAddress(provider)) {
    return notProven("provider", `${provider} is a name: nothing ties it to the key that signed`);
  }
  const holds = addressOfBlock(key) === provider;
  return decided(
    "provider",
    holds,
    `${provider} is the address of the miner's key`,
    `${provider} is not the address of the key that signed as the miner`,
  );
}

/** Checks the coordinators' attestations and that `coordinator_id` is the address of the key, or a named key. */
export function verifyAttestations(parsed: ParsedReceipt, pins: Pins): SignerReport {
  if (parsed.attestations.length === 0) {
    const detail = "no coordinator attests the receipt: its figures are the miner's alone";
    return { lines: [notProven("attestation", detail)], signers: [] };
  }
  const reports = parsed.attestations.map((block) => verifyAttestation(parsed, block, pins));
  return {
    lines: reports.flatMap(({ lines }) => lines),
    signers: reports.flatMap(({ signers }) => signers),
  };
}

function verifyAttestation(parsed: ParsedReceipt, block: SignatureBlock, pins: Pins): SignerReport {
  if (!verifyBlock(block, parsed.bytes)) {
    const detail = `the attestation of ${block.key_id} does not match the receipt: a member was changed, or the key is not the signer's`;
    return { lines: [failed("attestation", detail)], signers: [] };
  }
  const coordinatorId = String(parsed.receipt["coordinator_id"] ?? "");
  const pinned = pins.coordinatorKeys?.includes(block.key_id) ?? false;
  const isNamed = parsed.version === "1.0" && !isAddress(coordinatorId);
  if (!pinned && !isNamed && addressOfBlock(block) !== coordinatorId) {
    const detail = `the attestation of ${block.key_id} does not count: it is neither the key of ${coordinatorId} nor one that you named`;
    return { lines: [notProven("attestation", detail)], signers: [] };
  }
  const signer: Signer = { keyId: block.key_id, role: "coordinator", pinned };
  return {
    lines: [proven("attestation", "the coordinator attested every member of the receipt"), keyLine(signer)],
    signers: [signer],
  };
}
