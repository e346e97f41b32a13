import { expect, test } from "vitest";
import { large, saveParts } from "./save.ts";

/** A file of `size` bytes, in parts of 32 MiB of one Blob. */
const step = 32 << 20;
const zeros = new Blob([new Uint8Array(step)]);
const parts =
  (size: number, fails = -1) =>
  async (from: number) => {
    if (from === fails) throw new Error("the network is away");
    return { bytes: zeros.slice(0, Math.min(step, size - from)), size };
  };

function picked() {
  const heard: string[] = [];
  const file = {
    write: async (b: Blob) => void heard.push(`${b.size}`),
    close: async () => void heard.push("closed"),
    abort: async () => void heard.push("given up"),
  };
  const browser = { showSaveFilePicker: async () => ({ createWritable: async () => file }) };
  return { heard, browser: browser as unknown as Parameters<typeof saveParts>[3] };
}

test("a large file goes to its place part by part", async () => {
  const { heard, browser } = picked();
  const told: number[] = [];
  expect(await saveParts(parts(large + 7), "x.bin", (n) => told.push(n), browser)).toBe(true);
  expect(heard).toEqual([`${step}`, `${step}`, "7", "closed"]);
  expect(told).toEqual([step, large, large + 7]);
});

test("what fails in the middle leaves no file, and who doesn't choose a place gets none", async () => {
  const { heard, browser } = picked();
  await expect(saveParts(parts(large + 7, step), "x.bin", () => {}, browser)).rejects.toThrow("away");
  expect(heard).toEqual([`${step}`, "given up"]);
  const refused = { showSaveFilePicker: () => Promise.reject(new DOMException("", "AbortError")) };
  expect(await saveParts(parts(large), "x.bin", () => {}, refused)).toBe(false);
});
