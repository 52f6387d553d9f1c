/**
 * A miner whose answers are only a clock, as a process of its own: each piece is one frame of the session, at a set
 * rate, however fast an engine could be. It signs progress and receipts as a miner does.
 *
 * node chunk-miner.ts JSON
 */
import { openSessionChannel } from "../../../src/client/session-channel.ts";
import { addressOfKey } from "../../../src/crypto/address.ts";
import { fromBase64Url } from "../../../src/crypto/bytes.ts";
import { generateKeyPair, PUBLIC_KEY_BYTES } from "../../../src/crypto/ed25519.ts";
import { RunningHash } from "../../../src/crypto/hash.ts";
import { BYTES_METER } from "../../../src/domain/job/meter.ts";
import { termsHash } from "../../../src/domain/job/terms.ts";
import { createSigner, type Signer } from "../../../src/roles/miner/signer.ts";
import {
  type CoordinatorFrame,
  decodeCoordinatorFrame,
  type MinerFrame,
  type Offer,
  SESSION_FEATURES,
} from "../../../src/wire/session.ts";

/** What the driver asks for. */
export interface ChunkMinerPlan {
  readonly url: string;
  readonly apiKey: string;
  readonly model: string;
  readonly slots: number;
  /** Pieces of one answer, and the time between two of them. */
  readonly pieces: number;
  readonly pieceMs: number;
}

interface Work {
  readonly offer: Offer;
  readonly startedAt: number;
  readonly hash: RunningHash;
  readonly termsHash: string;
  text: string;
  pieces: number;
  stated: number;
  statements: number;
}

/** How often it is looked whose piece is due, in ms: the finest that timers do. */
const TICK_MS = 1;

// The driver has written it.
const plan = JSON.parse(process.argv[2] ?? "") as ChunkMinerPlan;
const { secretKey, publicKey } = generateKeyPair();
const identity = { secretKey, publicKey, minerId: addressOfKey(publicKey) };
const works = new Map<string, Work>();
const channel = await openSessionChannel({
  url: plan.url,
  apiKey: plan.apiKey,
  signal: new AbortController().signal,
});
let signer: Signer | undefined;

const send = (frame: MinerFrame): void => channel.send(JSON.stringify(frame));

channel.onClose(() => process.exit(0));
channel.onFrame((raw) => {
  const frame = decodeCoordinatorFrame(raw);
  if (frame.type === "challenge") {
    const key = fromBase64Url("coordinator_public_key", frame.coordinator_public_key, PUBLIC_KEY_BYTES);
    signer = createSigner(identity, key, undefined);
    register(frame, signer);
  } else if (frame.type === "registered") console.log("ready");
  else if (frame.type === "offer") take(frame);
  else if (frame.type === "cancel") cancel(frame.job_id);
  else if (frame.type === "fenced" && !works.has(frame.job_id)) {
    // A piece that crossed the cancel.
  } else if (frame.type === "fenced" || frame.type === "error") {
    console.error(frame.code, frame.detail);
    process.exit(1);
  }
});

type Challenge = Extract<CoordinatorFrame, { type: "challenge" }>;

function register({ nonce, features: known = [] }: Challenge, by: Signer): void {
  const features = SESSION_FEATURES.filter((feature) => known.includes(feature));
  send({
    type: "register",
    v: 1,
    ...by.proveSession(nonce),
    name: "chunks",
    region: null,
    payout: null,
    slots: plan.slots,
    capabilities: {
      gpus: [],
      cuda: null,
      cpu: { name: "bench", cores: 1 },
      memory_mb: 1024,
      models: [
        {
          name: plan.model,
          digest: "",
          context_tokens: 8192,
          engine: "bench",
          tokens_per_second: null,
          features: ["text"],
        },
      ],
      price: null,
    },
    ...(features.length > 0 && { features }),
    running: [],
  });
}

/** Tells the driver when it heard, on the clock that all processes share, in µs. */
function cancel(jobId: string): void {
  works.delete(jobId);
  console.log(`cancel ${process.hrtime.bigint() / 1000n}`);
}

function take(offer: Offer): void {
  const { job_id, token } = offer.terms;
  works.set(job_id, {
    offer,
    startedAt: performance.now(),
    hash: new RunningHash(),
    termsHash: termsHash(offer.terms),
    text: "",
    pieces: 0,
    stated: 0,
    statements: 0,
  });
  send({ type: "start", job_id, token });
}

setInterval(() => {
  const now = performance.now();
  for (const work of works.values()) {
    const due = Math.min(plan.pieces, Math.floor((now - work.startedAt) / plan.pieceMs));
    while (work.pieces < due) advance(work);
  }
}, TICK_MS);

function advance(work: Work): void {
  const { job_id, token, progress_units } = work.offer.terms;
  const text = `${process.hrtime.bigint() / 1000n} `;
  send({ type: "chunk", job_id, token, offset: work.text.length, text });
  work.text += text;
  work.hash.update(text);
  work.pieces++;
  const units = BYTES_METER.units(work.text.length);
  if (units - work.stated >= progress_units || work.pieces === plan.pieces) state(work, units);
  if (work.pieces === plan.pieces) complete(work, units);
}

function state(work: Work, units: number): void {
  const { job_id, token } = work.offer.terms;
  work.stated = units;
  const progress = {
    v: 1 as const,
    job_id,
    token,
    seq: ++work.statements,
    bytes: work.text.length,
    running_sha256: work.hash.hex(),
    units,
    terms_hash: work.termsHash,
  };
  if (signer) send({ type: "progress", progress, signature: signer.signProgress(progress) });
}

function complete({ offer: { terms, prefix }, text, startedAt }: Work, units: number): void {
  const { job_id, token } = terms;
  works.delete(job_id);
  const elapsedMs = performance.now() - startedAt;
  const receipt = signer?.signReceipt(terms, { prefix, text, endByte: text.length, units, elapsedMs });
  if (!receipt) return;
  const usage = { prompt_tokens: terms.prompt_units, completion_tokens: units };
  send({ type: "complete", job_id, token, finish_reason: "stop", usage, receipt: { ...receipt } });
}
