/** Polls for jobs over HTTP as a miner without a key: `node poll-caller.ts URL KEY MODEL POLLS`. Prints its times in ms. */
const [, , url = "", key = "", model = "", polls = ""] = process.argv;
/** Polls before those that count: a daemon that has just begun still compiles its code. */
const WARM_UP = 1_000;

async function post(path: string, body: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { "X-Api-Key": key, "X-Miner-ID": "bench", "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

await post("/v1/miners/register", { capabilities: { models: [model] }, concurrency: 1 });
const times: number[] = [];
let jobs = 0;
for (let index = 0; index < WARM_UP + Number(polls); index++) {
  const began = performance.now();
  const { status, body } = await post("/v1/miners/poll", { max_wait_seconds: 0 });
  if (index >= WARM_UP) times.push(performance.now() - began);
  if (status === 204) continue;
  if (status !== 200) throw new Error(`a poll was answered with ${status}`);
  jobs++;
  await post(`/v1/miners/${body["job_id"]}/result`, { result: "done", lease_token: body["lease_token"] });
}
console.log(JSON.stringify({ times, jobs }));
