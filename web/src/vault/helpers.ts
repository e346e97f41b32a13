/**
 * Helpers: more workers, so that other cores open records too. One gets keys with each question, overwrites all that it was asked when it has answered,
 * and keeps nothing.
 */

import type { Deeds } from "./opening.ts";

type Name = keyof Deeds;

/** Does one of the deeds, wherever. */
export type Ask = <N extends Name>(name: N, question: Parameters<Deeds[N]>[0]) => ReturnType<Deeds[N]>;

export interface Asked {
  id: number;
  name: Name;
  question: unknown;
}

export type Answered = { id: number; answer: unknown } | { id: number; why: string };

/** What helpersOf needs of a Worker. */
export interface Helper {
  postMessage(m: Asked): void;
  addEventListener(kind: "message", heard: (e: MessageEvent<Answered>) => void): void;
  addEventListener(kind: "error", heard: () => void): void;
}

interface Job {
  done(answer: unknown): void;
  failed(e: Error): void;
}

interface Hired {
  helper: Helper;
  jobs: Map<number, Job>;
}

/** Starts so many helpers when there is work. Where there are none, or one fails, this worker does it itself: `alone`. */
export function helpersOf(start: () => Helper, most: number, alone: Ask): Ask {
  let hired: Hired[] | null = null;
  let [last, broken] = [0, most < 1];
  const hire = (): Hired => {
    const jobs = new Map<number, Job>();
    const helper = start();
    helper.addEventListener("message", ({ data }) => {
      const job = jobs.get(data.id);
      jobs.delete(data.id);
      if ("answer" in data) job?.done(data.answer);
      else job?.failed(new Error(data.why));
    });
    helper.addEventListener("error", () => {
      broken = true;
      for (const j of jobs.values()) j.failed(new Error("a helper failed"));
      jobs.clear();
    });
    return { helper, jobs };
  };
  const ask = (name: Name, question: unknown): Promise<unknown> =>
    new Promise((done, failed) => {
      hired ??= Array.from({ length: most }, hire);
      const { helper, jobs } = hired.reduce((a, b) => (b.jobs.size < a.jobs.size ? b : a));
      jobs.set(++last, { done, failed });
      helper.postMessage({ id: last, name, question });
    });
  return (async (name: Name, question: never) => {
    if (broken) return alone(name, question);
    try {
      return await ask(name, question);
    } catch {
      return alone(name, question);
    }
  }) as Ask;
}

/** A helper's end. */
export function help(port: { postMessage(m: Answered): void; onmessage: ((e: MessageEvent<Asked>) => void) | null }, alone: Ask): void {
  const answer = async ({ id, name, question }: Asked): Promise<void> => {
    try {
      port.postMessage({ id, answer: await alone(name, question as never) });
    } catch (e) {
      port.postMessage({ id, why: e instanceof Error ? e.message : "" });
    } finally {
      forget(question);
    }
  };
  port.onmessage = (e) => void answer(e.data);
}

/** Overwrites all bytes in what was asked. */
function forget(asked: unknown): void {
  if (asked instanceof Uint8Array) asked.fill(0);
  else if (asked && typeof asked === "object") for (const x of Object.values(asked)) forget(x);
}
