import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { programName } from "./program-name.ts";

/** Where this program lies while it runs from its source. */
const ROOT = dirname(dirname(import.meta.dirname));

describe("program name", () => {
  it("is the bare name where the shell finds it", () => {
    expect(programName({ env: { PATH: dirname(process.execPath) }, cwd: ROOT })).toBe("node ./src/main.ts");
  });

  it("is the way to it elsewhere", () => {
    expect(programName({ env: { PATH: "/bin" }, cwd: "/" })).toBe(
      `.${process.execPath} .${ROOT}/src/main.ts`,
    );
    expect(programName({ env: {}, cwd: `${ROOT}/protocols` })).toContain(` ${ROOT}/src/main.ts`);
  });
});
