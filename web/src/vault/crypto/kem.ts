/**
 * Helpers for ML-KEM where the browser has none: it takes most of the time in which a chart opens, and other cores can have it. A helper gets key and
 * ciphertext with each call, answers with the secret, and keeps neither.
 */

import { type Bytes, wipe } from "../bytes.ts";

/** The shared secret of an ML-KEM-768 ciphertext, by the decapsulation key. */
export type Kem = (key: Bytes, cipher: Bytes) => Promise<Bytes>;

export interface Asked {
  id: number;
  key: Bytes;
  cipher: Bytes;
}

export type Answered = { id: number; shared: Bytes } | { id: number; why: string };

/** What helpersOf needs of a Worker. */
export interface Helper {
  postMessage(m: Asked): void;
  addEventListener(kind: "message", heard: (e: MessageEvent<Answered>) => void): void;
  addEventListener(kind: "error", heard: () => void): void;
}

interface Job {
  done(shared: Bytes): void;
  failed(e: Error): void;
}

/** Starts at most so many helpers, the first when there is work. Where there is none, or one fails, this worker does it itself: `alone`. */
export function helpersOf(start: () => Helper, most: number, alone: Kem): Kem {
  const jobs = new Map<number, Job>();
  const helpers: Helper[] = [];
  let [last, broken] = [0, most < 1];
  const hire = (): Helper => {
    const h = start();
    h.addEventListener("message", ({ data }) => {
      const job = jobs.get(data.id);
      jobs.delete(data.id);
      if ("shared" in data) job?.done(data.shared);
      else job?.failed(new Error(data.why));
    });
    h.addEventListener("error", () => {
      broken = true;
      for (const j of jobs.values()) j.failed(new Error("a helper failed"));
      jobs.clear();
    });
    helpers.push(h);
    return h;
  };
  const ask = (key: Bytes, cipher: Bytes): Promise<Bytes> =>
    new Promise((done, failed) => {
      const id = ++last;
      const h = helpers.length < most ? hire() : helpers[id % most]!;
      jobs.set(id, { done, failed });
      h.postMessage({ id, key, cipher });
    });
  return async (key, cipher) => {
    if (broken) return alone(key, cipher);
    try {
      return await ask(key, cipher);
    } catch {
      return alone(key, cipher);
    }
  };
}

/** A helper's end: it does the work at once, with what it has loaded. */
export function help(
  port: { postMessage(m: Answered): void; onmessage: ((e: MessageEvent<Asked>) => void) | null },
  open: (cipher: Bytes, key: Bytes) => Uint8Array,
): void {
  port.onmessage = ({ data: { id, key, cipher } }) => {
    try {
      port.postMessage({ id, shared: new Uint8Array(open(cipher, key)) });
    } catch (e) {
      port.postMessage({ id, why: e instanceof Error ? e.message : "" });
    } finally {
      wipe(key);
    }
  };
}
