import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");

const DOCUMENTS = globSync(["*.md", "{protocols,scripts,src,test}/**/*.md"], { cwd: ROOT }).sort();

/** Targets of a document's links that lead to files, without their fragments. */
function listFileLinks(text: string): readonly string[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "");
  return targets
    .filter((target) => !/^(https?:|mailto:|#)/.test(target))
    .map((target) => target.split("#")[0] ?? "");
}

describe("documents", () => {
  it.each(DOCUMENTS)("%s links to files that exist", (path) => {
    const links = listFileLinks(readFileSync(join(ROOT, path), "utf8"));
    expect(links.filter((link) => !existsSync(join(ROOT, dirname(path), link)))).toEqual([]);
  });

  it("have a line in the map for every folder of src", () => {
    const map = readFileSync(join(ROOT, "src/README.md"), "utf8");
    const foldersOf = (path: string): string[] =>
      readdirSync(join(ROOT, path), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name);
    const folders = [
      ...foldersOf("src").filter((name) => name !== "roles"),
      ...foldersOf("src/roles").map((name) => `roles/${name}`),
    ];
    expect(folders.filter((folder) => !map.includes(`\`${folder}/\``))).toEqual([]);
  });

  it("number decisions without a gap or a double", () => {
    const numbers = readdirSync(join(ROOT, "protocols/decisions"))
      .filter((name) => /^\d{4}-/.test(name))
      .map((name) => Number(name.slice(0, 4)))
      .sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });
});
