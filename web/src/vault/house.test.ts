/** The laws of ARCHITECTURE.md, The patient's app: which files import which, and which third parties. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const root = import.meta.dirname;
const law = readFileSync(join(root, "../../../ARCHITECTURE.md"), "utf8").split("## The patient's app")[1]!.split("\n## ")[0]!;
const named = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((m) => m[1]!.replace("/", ""));
const rows = law.split("\n").filter((l) => l.startsWith("| ") && !l.startsWith("| files") && !l.startsWith("| third party"));
const floors = rows.filter((r) => !r.includes("`@")).map((r) => named(r.split("|")[1]!));
const parties = rows
  .filter((r) => r.includes("`@") && !r.startsWith("| in tests"))
  .flatMap((r) => [...r.split("|")[1]!.matchAll(/`([^`]+)`/g)].map((m) => m[1]!));

const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
  (f) => f.endsWith(".ts") && !f.endsWith(".test.ts") && !f.startsWith("testing"),
);
const floorOf = (f: string): number => floors.findIndex((names) => names.includes(f.split("/")[0]!.replace(".ts", "")));
const contract = ["api.ts", "shapes.ts"];

/** What a file imports, types apart. */
function imports(f: string): string[] {
  const src = readFileSync(join(root, f), "utf8");
  const fixed = [...src.matchAll(/^(?:import|export) (?!type )(?:[^;]*? from )?"([^"]+)";/gms)].map((m) => m[1]!);
  return [...fixed, ...[...src.matchAll(/\bimport\("([^"]+)"\)/g)].map((m) => m[1]!)];
}

test("files stand on a floor and import from it or below", () => {
  expect([floors.length > 4, files.flatMap(imports).length > 100]).toEqual([true, true]); // they were read
  for (const f of files.filter((x) => !contract.includes(x))) {
    expect(floorOf(f), `${f} has no line in ARCHITECTURE.md`).toBeGreaterThanOrEqual(0);
    for (const to of imports(f).filter((x) => x.startsWith("."))) {
      const other = relative(root, join(root, dirname(f), to));
      expect(floorOf(other), `${f} imports ${other}`).toBeLessThanOrEqual(floorOf(f));
      expect(floorOf(other), `${f} imports ${other}`).toBeGreaterThanOrEqual(0);
    }
  }
});

test("third parties are those of ARCHITECTURE.md, and nothing of a page is used", () => {
  for (const f of files) {
    for (const to of imports(f).filter((x) => !x.startsWith(".")))
      expect(
        parties.some((p) => to.startsWith(`${p}/`) || to === p),
        `${f} imports ${to}`,
      ).toBe(true);
    expect(readFileSync(join(root, f), "utf8"), f).not.toMatch(/\b(document|window|localStorage|Math\.random|console)\b\./);
  }
});
