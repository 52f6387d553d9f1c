import { existsSync } from "node:fs";
import { mkdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MinerBench, OTHER_JOB } from "../../../test/harness/miner-bench.ts";
import { PlannedEngine } from "../../../test/harness/planned-engine.ts";
import type { ScriptedCoordinator } from "../../../test/harness/scripted-coordinator.ts";
import type { Engine, EngineModel } from "./engines/engine.ts";
import type { GpuProbe } from "./probe/gpus.ts";

let bench: MinerBench;
let coordinator: ScriptedCoordinator;
let engine: PlannedEngine;
beforeEach(async () => {
  bench = await MinerBench.create();
  ({ coordinator, engine } = bench);
});
afterEach(() => bench.dispose());

const H100 = { name: "NVIDIA H100 PCIe", memory_mb: 81_559 };

describe("registration", () => {
  it("names the machine's GPUs, and the free space for files", async () => {
    bench.probeGpus = async () => ({ gpus: [H100], cuda: "12.4", attempts: [] });
    const { capabilities } = await bench.open();
    expect(capabilities).toMatchObject({ gpus: [H100], cuda: "12.4" });
    expect(capabilities.disk_mb).toBeGreaterThan(0);
  });

  it("does not wait for a slow tool, nor for a server that nobody misses; an update tells the rest", async () => {
    const gpus = Promise.withResolvers<GpuProbe>();
    bench.probeGpus = () => gpus.promise;
    const late = new LateEngine();
    await bench.start({ price: 2 }, async () => [late, engine]);
    const register = await coordinator.next("register");
    expect(register.capabilities).toMatchObject({ gpus: [], models: [{ name: "test" }] });
    gpus.resolve({ gpus: [H100], cuda: "12.4", attempts: [] });
    late.listed.resolve([{ name: "late", digest: "sha256:11", context_tokens: 1, features: ["text"] }]);
    const update = await coordinator.next("update");
    expect(update).toMatchObject({
      slots: 2,
      capabilities: { gpus: [H100], price: 2, models: [{ name: "late", engine: "late" }, { name: "test" }] },
    });
    coordinator.offer({ payload: { model: "late" } });
    await coordinator.next("start");
    expect((await late.nth(0)).request.model).toBe("late");
  });

  it("is followed by an update when an engine has got new models", async () => {
    let models: EngineModel[] = [
      { name: "test", digest: "sha256:00", context_tokens: 1, features: ["text"] },
    ];
    const pulling: Engine = Object.assign(new PlannedEngine(), {
      models: async () => models,
      async prepare() {
        models = [...models, { name: "pulled", digest: "sha256:22", context_tokens: 1, features: ["text"] }];
        return true;
      },
    });
    await bench.start({}, async () => [pulling]);
    await coordinator.next("register");
    const { capabilities } = await coordinator.next("update");
    expect(capabilities.models.map(({ name }) => name)).toEqual(["test", "pulled"]);
  });
});

/** An engine that nobody misses, whose models become known late. */
class LateEngine extends PlannedEngine {
  override readonly name = "late";
  readonly optional = true;
  readonly listed = Promise.withResolvers<EngineModel[]>();
  override models(): Promise<readonly EngineModel[]> {
    return this.listed.promise;
  }
}

describe("terms that change", () => {
  it("are told in the open session, and with the next registration", async () => {
    await bench.open({ slots: 2 });
    await coordinator.until(() => bench.miner.ready());
    bench.miner.adjust({ slots: 3, price: 0.25 });
    expect(await coordinator.next("update")).toMatchObject({ slots: 3, capabilities: { price: 0.25 } });
    coordinator.disconnect();
    expect(await coordinator.next("register")).toMatchObject({ slots: 3, capabilities: { price: 0.25 } });
  });

  it("are told once a session is open, if they changed during the handshake", async () => {
    await bench.start({ slots: 2 });
    await coordinator.until(() => coordinator.all("register").length > 0);
    // The coordinator's answer is on its way.
    bench.miner.adjust({ slots: 4, price: null });
    expect((await coordinator.next("update")).slots).toBe(4);
    expect(coordinator.all("update")).toHaveLength(1);
  });

  it("let running jobs end, and take offers that were sent before fewer slots were known", async () => {
    await bench.open({ slots: 2 });
    coordinator.offer();
    await coordinator.next("start");
    bench.miner.adjust({ slots: 1, price: null });
    coordinator.offer({ terms: { job_id: OTHER_JOB } });
    await coordinator.next("start");
    coordinator.offer({ terms: { job_id: `${"0".repeat(31)}3` } });
    expect((await coordinator.next("reject")).code).toBe("NO_FREE_SLOT");
    (await engine.nth(0)).end();
    await coordinator.next("complete");
  });
});

describe("speed", () => {
  it("is measured over finished runs and told with the next registration", async () => {
    const { capabilities } = await bench.open();
    expect(capabilities.models[0]?.tokens_per_second).toBeNull();
    coordinator.offer();
    const run = await engine.nth(0);
    await run.write("first ");
    await run.write("last");
    run.end({ completion_tokens: 101 });
    coordinator.confirm(await coordinator.next("complete"));
    coordinator.disconnect();
    const again = await coordinator.next("register");
    expect(again.capabilities.models[0]?.tokens_per_second).toBeGreaterThan(0);
    expect(await bench.metrics.render()).toMatch(/aitbc_miner_tokens_per_second\{model="test"\} \d/);
  });
});

describe("work directory", () => {
  const pathOf = (job: string): string => join(bench.directory, "miner", "work", `${job}-1`);

  it("is made when the engine asks, belongs to its owner alone, and goes with the job", async () => {
    await bench.open();
    const { job_id } = coordinator.offer();
    const run = await engine.nth(0);
    expect(existsSync(pathOf(job_id))).toBe(false);
    const path = await run.options.workDirectory?.path();
    expect(path).toBe(pathOf(job_id));
    expect((await stat(pathOf(job_id))).mode & 0o777).toBe(0o700);
    await mkdir(join(pathOf(job_id), "deep"));
    await writeFile(join(pathOf(job_id), "deep", "file"), "text");
    run.end();
    coordinator.confirm(await coordinator.next("complete"));
    await bench.miner[Symbol.asyncDispose]();
    expect(existsSync(pathOf(job_id))).toBe(false);
  });

  it("ends the job that keeps more in it than its quota", async () => {
    await bench.open();
    const { job_id } = coordinator.offer();
    const run = await engine.nth(0);
    await run.options.workDirectory?.path();
    const file = join(pathOf(job_id), "sparse");
    await writeFile(file, "");
    await truncate(file, 1024 ** 3 + 1);
    expect(await coordinator.next("fail")).toMatchObject({ code: "LIMIT_EXCEEDED", retryable: true });
    await run.aborted;
  });

  it("is measured once more before an answer counts", async () => {
    await bench.open();
    const { job_id } = coordinator.offer();
    const run = await engine.nth(0);
    await run.options.workDirectory?.path();
    const file = join(pathOf(job_id), "sparse");
    await writeFile(file, "");
    await truncate(file, 1024 ** 3 + 1);
    run.end();
    expect((await coordinator.next("fail")).code).toBe("LIMIT_EXCEEDED");
    expect(coordinator.all("complete")).toEqual([]);
  });

  it("of an earlier process is removed at the start", async () => {
    await mkdir(pathOf(OTHER_JOB), { recursive: true });
    await writeFile(join(pathOf(OTHER_JOB), "file"), "text");
    await bench.open();
    expect(existsSync(pathOf(OTHER_JOB))).toBe(false);
  });
});
