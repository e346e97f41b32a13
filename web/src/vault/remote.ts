/** A Vault for pages, which asks the one in the worker. */

import type { Failure, Notice, Vault } from "./api.ts";
import { failure } from "./failure.ts";

export interface ToWorker {
  id: number;
  name: keyof Vault;
  argument: unknown;
}

export type FromWorker = { id: number; value: unknown } | { id: number; failure: Failure; detail: string } | { notice: Notice };

interface Waiting {
  resolve(value: unknown): void;
  reject(e: Error): void;
}

/** What connect needs of a Worker. */
export interface Port {
  postMessage(m: ToWorker): void;
  addEventListener(kind: "message", heard: (e: MessageEvent<FromWorker>) => void): void;
  addEventListener(kind: "error", heard: () => void): void;
}

export function connect(worker: Port, heard: (n: Notice) => void): Vault {
  const waiting = new Map<number, Waiting>();
  let last = 0;
  worker.addEventListener("message", ({ data }) => {
    if ("notice" in data) return heard(data.notice);
    const w = waiting.get(data.id);
    waiting.delete(data.id);
    if ("failure" in data) w?.reject(failure(data.failure, data.detail));
    else w?.resolve(data.value);
  });
  worker.addEventListener("error", () => {
    for (const w of waiting.values()) w.reject(failure("internal", "the vault's worker failed"));
    waiting.clear();
  });
  const call = (name: keyof Vault, argument: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      worker.postMessage({ id: last, name, argument });
    });
  return new Proxy({} as Vault, {
    // A promise that resolves to the vault asks for `then`, which it has not.
    get: (_, name) =>
      typeof name === "string" && name !== "then" ? (argument: unknown) => call(name as keyof Vault, argument) : undefined,
  });
}
