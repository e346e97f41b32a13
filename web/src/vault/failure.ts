/** What goes wrong, by the kinds of api.ts. A detail is for developers and holds no secret, no name and no health data. */

import type { Failure, VaultError } from "./api.ts";

export function failure(kind: Failure, detail: string): VaultError {
  return Object.assign(new Error(`${kind}: ${detail}`), { failure: kind, detail });
}

export function fail(kind: Failure, detail: string): never {
  throw failure(kind, detail);
}

/** The kind of anything that was thrown. */
export function kindOf(e: unknown): Failure {
  return e instanceof Error && "failure" in e ? (e.failure as Failure) : "internal";
}

/** Puts in front of what failed what it was tried for. */
export async function during<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (e) {
    if (kindOf(e) === "internal") throw e;
    throw failure(kindOf(e), `${what}: ${(e as VaultError).detail}`);
  }
}
