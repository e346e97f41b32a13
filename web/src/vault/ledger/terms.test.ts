import { expect, test } from "vitest";
import { forever, including, without } from "./terms.ts";

test("what was taken out of ranges and is put back gives the same ranges", () => {
  const all = [{ from: 0n, to: forever }];
  const some = without(all, [3, 4, 9]);
  expect(some).toEqual([
    { from: 0n, to: 3n },
    { from: 5n, to: 9n },
    { from: 10n, to: forever },
  ]);
  expect(including(some, [3, 4, 9])).toEqual(all);
  expect(including(some, [4])).toEqual([{ from: 0n, to: 3n }, { from: 4n, to: 9n }, some[2]]);
  expect(including(some, [1, 20])).toEqual(some);
});
