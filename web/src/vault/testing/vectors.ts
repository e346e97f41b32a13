/** The project's vectors, spec/testdata, for tests. */

import { readFileSync } from "node:fs";

export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../../spec/testdata/${name}.json`, import.meta.url), "utf8")) as T;
}
