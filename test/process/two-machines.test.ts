/**
 * Two machines and a third, as far as the programs can see: each has a home directory of its own, they meet at an
 * address that is not the usual loopback one, and nothing is handed over but one API key each.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient } from "../../src/client/client.ts";
import { EXIT } from "../../src/kernel/errors.ts";
import type { KeyKind } from "../../src/wire/access.ts";
import { readStream } from "../harness/events.ts";
import { type Running, Sandbox, type Served } from "../harness/process.ts";

const PROMPT = "What is 37 + 45?";
/** Greedy, so that the same model writes the same. */
const QUESTION = { payload: { type: "inference" as const, prompt: PROMPT, temperature: 0 } };
const ANSWER = "37 + 45 = 82.";
/** Loopback, but not the address that everything uses unless it is told otherwise. */
const HOST = "127.0.0.2";
/** Longest wait of the client for one answer, in ms. */
const TIMEOUT_MS = 20_000;
/** Where `miner start` keeps what is its own. */
const MINER_FOLDER = "standalone-miner";

type Env = Readonly<Record<string, string>>;
type Identities = { role: string; public_key: string; address: string }[];

let site: Sandbox;
let rig: Sandbox;
let desk: Sandbox;
let served: Served;
let miner: Running;
let rigEnv: Env;
let deskEnv: Env;
let client: Client;
beforeAll(async () => {
  [site, rig, desk] = [new Sandbox(), new Sandbox(), new Sandbox()];
  served = await site.serve(["--roles", "coordinator", "--host", HOST]);
  const createKey = async (kind: KeyKind): Promise<string> =>
    (await served.client("admin").createKey({ kind, name: kind })).key;
  const apiKey = await createKey("client");
  rigEnv = { AITBC_URL: served.url, AITBC_API_KEY: await createKey("miner") };
  deskEnv = { AITBC_URL: served.url, AITBC_API_KEY: apiKey };
  client = createClient({ url: served.url, apiKey, timeoutMs: TIMEOUT_MS });
  // The miner's configuration is its own: it does not come from the other machine.
  mkdirSync(join(rig.home, ".config/aitbc"), { recursive: true });
  writeFileSync(join(rig.home, ".config/aitbc/config.json"), '{"miner":{"name":"rig","region":"attic"}}');
  miner = rig.spawn(["miner", "start"], { env: { ...rigEnv, AITBC_LOG__FORMAT: "json" } });
  await miner.match(/session with the coordinator is open/);
});
afterAll(async () => {
  for (const machine of [site, rig, desk]) await machine[Symbol.asyncDispose]();
});

async function read<T>(machine: Sandbox, env: Env, ...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await machine.run([...args, "--output", "json"], { env });
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return JSON.parse(stdout) as T;
}

/** The public identities of both machines, as each tells its own. */
function readIdentities(): Promise<[Identities, Identities]> {
  const rigData = join(rig.dataDir, MINER_FOLDER);
  return Promise.all([
    read<Identities>(site, {}, "keys", "identity"),
    read<Identities>(rig, {}, "keys", "identity", "--data-dir", rigData),
  ]);
}

describe("a coordinator and a miner on two machines", () => {
  it("need one key between them; a client on a third verifies the receipt with the keys that it pins", async () => {
    expect(new URL(served.url).hostname).toBe(HOST);
    const asked = await desk.run(["client", "submit", "--prompt", PROMPT, "--temperature", "0"], {
      env: deskEnv,
    });
    expect([asked.code, asked.stdout]).toEqual([0, ANSWER]);
    const { items } = await client.listJobs({});
    const [{ job_id } = { job_id: "" }] = items;
    const receipt = await client.getReceipt(job_id);
    writeFileSync(join(desk.home, "receipt.json"), JSON.stringify(receipt));
    writeFileSync(join(desk.home, "answer.txt"), ANSWER);

    // The verifier has nothing but the keys that each side tells, and these files.
    const [ofSite, ofRig] = await readIdentities();
    expect([ofSite, ofRig].map((list) => list.map(({ role }) => role))).toEqual([["coordinator"], ["miner"]]);
    expect(receipt).toMatchObject({ provider: ofRig[0]?.address });
    const check = (identities: Identities) =>
      desk.run([
        ...["receipt", "verify", "receipt.json", "--output-file", "answer.txt"],
        ...identities.flatMap(({ role, public_key }) => [`--${role}-key`, public_key]),
      ]);
    const [all, half] = await Promise.all([check([...ofSite, ...ofRig]), check(ofSite)]);
    expect([all.code, all.stdout]).toEqual([0, expect.stringContaining("VERIFIED")]);
    expect(half.code).toBe(EXIT.signerUnknown);
  });

  it("status and drain work from the miner's machine, without naming it", async () => {
    expect(await read(rig, rigEnv, "miner", "status")).toMatchObject({
      miner_id: expect.stringMatching(/^ait1/),
      status: "ONLINE",
      name: "rig",
      region: "attic",
      coordinator_url: served.url,
    });
    expect(await read(rig, rigEnv, "miner", "drain")).toMatchObject({ status: "DRAINING" });
    const { job_id } = await client.submitJob(QUESTION);
    const { queue } = await client.getJob(job_id);
    expect(queue?.reason).toContain("its owner keeps it from new jobs");
    expect(await read(rig, rigEnv, "miner", "drain", "--undo")).toMatchObject({ status: "ONLINE" });
    expect((await readStream(client, job_id)).text).toBe(ANSWER);
  });

  it("without the key there is no miner, and the message says what to do; neither side writes into the other's folders", async () => {
    const keyless = await rig.run(["miner", "start"], { env: { AITBC_URL: served.url } });
    expect([keyless.code, keyless.stderr]).toEqual([EXIT.denied, expect.stringContaining("AITBC_API_KEY")]);
    miner.signal("SIGTERM");
    expect((await miner.ended).code).toBe(0);
    expect(readdirSync(rig.dataDir)).toEqual([MINER_FOLDER]);
    expect(readdirSync(desk.home)).not.toContain(".local");
  });
});
