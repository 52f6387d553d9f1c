/**
 * Writes protocols/vectors, and schema and samples in protocols/receipts, from fixed seeds; `--check` fails
 * when a file is stale.
 */
import { receiptSchema } from "../src/domain/receipt/schema.ts";
import { consensusVectors } from "./lib/consensus-vectors.ts";
import { addressVectors, canonicalJsonVectors, ed25519Vectors, merkleVectors } from "./lib/crypto-vectors.ts";
import { writeOrCheck } from "./lib/generated.ts";
import { stateVectors, transactionVectors } from "./lib/ledger-vectors.ts";
import {
  completedSample,
  failedSample,
  jobVectors,
  legacySample,
  meteringVectors,
  receiptVectors,
  sampleEvidence,
} from "./lib/receipt-vectors.ts";
import { tokenVectors } from "./lib/token-vectors.ts";
import { walletVectors } from "./lib/wallet-vectors.ts";

const write = (path: string, value: unknown): void =>
  writeOrCheck(`protocols/${path}`, `${JSON.stringify(value, null, 2)}\n`);

write("receipts/receipt.schema.json", receiptSchema());
write("receipts/samples/completed.json", completedSample());
write("receipts/samples/failed.json", failedSample());
// Written as text, because its numbers must keep their spelling.
writeOrCheck("protocols/receipts/samples/legacy.json", `${legacySample()}\n`);
write("receipts/samples/evidence.json", sampleEvidence());
write("vectors/canonical-json.json", canonicalJsonVectors());
write("vectors/ed25519.json", ed25519Vectors());
write("vectors/addresses.json", addressVectors());
write("vectors/merkle.json", merkleVectors());
write("vectors/receipts.json", receiptVectors());
write("vectors/jobs.json", jobVectors());
write("vectors/metering.json", meteringVectors());
write("vectors/tokens.json", tokenVectors());
write("vectors/transactions.json", transactionVectors());
write("vectors/state.json", stateVectors());
write("vectors/consensus.json", consensusVectors());
write("vectors/wallet.json", await walletVectors());
