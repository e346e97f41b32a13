import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { apple } from "./apple.ts";
import { dayOf, observation } from "./observation.ts";

const data = join(import.meta.dirname, "../../../../wearable/testdata");

async function read(text: string, size: number): Promise<{ lines: string[]; left: number }> {
  async function* pieces() {
    for (let i = 0; i < text.length; i += size) yield text.slice(i, i + size);
  }
  const out = { lines: [] as string[], left: 0 };
  for await (const r of apple(pieces())) {
    if (r) out.lines.push(`${dayOf(r)} ${observation(r)}`);
    else out.left++;
  }
  return out;
}

test.each([1, 7, 100, 1 << 20])("an export in pieces of %d is told byte for byte as the members' program tells it", async (size) => {
  const { lines, left } = await read(readFileSync(join(data, "apple.xml"), "utf8"), size);
  expect(`${lines.join("\n")}\n`).toBe(readFileSync(join(data, "apple.golden"), "utf8"));
  expect(left).toBe(6);
});

test.each([
  ["another element", "<Other/>"],
  ["nothing", ""],
  ["no end", "<HealthData><Record"],
  ["an end too early", "<HealthData></Record></HealthData>"],
  ["two elements", "<HealthData/><HealthData/>"],
  ["an entity", '<HealthData><Record type="&e;"/></HealthData>'],
  ["an element without end", `<HealthData><Record type="${"x".repeat(3 << 20)}"/></HealthData>`],
  ["a comment without end", `<HealthData><!--${"x".repeat(3 << 20)}--></HealthData>`],
  ["too many within each other", `<HealthData>${"<a>".repeat(40)}`],
  ["half an element", "<HealthData><Record type=></HealthData>"],
])("%s is refused", async (_, text) => {
  await expect(read(text, 1 << 16)).rejects.toMatchObject({ failure: "invalid" });
});
