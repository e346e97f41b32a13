/**
 * Hears from the home member that a log has grown (spec/home.md, "Following"). It is a hint and nothing is shown of it: whoever hears it syncs, and
 * what came is proved. A stream that breaks off is begun again, after a pause that doubles.
 */

import { type Bytes, compare, concat, hex } from "./bytes.ts";
import type { Home } from "./home.ts";
import { reader, times, writer } from "./wire.ts";

/** The patient's logs as they are known, by whatever key. */
export interface Known {
  home: Pick<Home, "follow">;
  logs: Map<unknown, { log: Bytes; head: { size: number } }>;
}

export interface Follower {
  /** Follows the logs of a session, if it doesn't already. */
  start(s: Known): void;
  stop(): void;
}

const event = 48; // bytes
const silence = 45_000; // ms after which a stream is dead: a heartbeat comes every 15 s
const pauses = { shortest: 1000, longest: 60_000 }; // ms

export function followerOf(news: () => void): Follower {
  let now: { session: Known; over: AbortController } | null = null;
  const stop = (): void => {
    now?.over.abort();
    now = null;
  };
  return {
    start: (session) => {
      if (now?.session === session) return;
      stop();
      now = { session, over: new AbortController() };
      void keep(session, news, now.over.signal);
    },
    stop,
  };
}

async function keep(s: Known, news: () => void, signal: AbortSignal): Promise<void> {
  for (let pause = pauses.shortest; !signal.aborted; pause = Math.min(2 * pause, pauses.longest)) {
    if (await listen(s, news, signal)) pause = pauses.shortest;
    await rest(pause * (0.5 + Math.random() / 2), signal); // not all apps of a home that was away at the same moment
  }
}

/** One stream to its end. Tells whether anything came. */
async function listen(s: Known, news: () => void, signal: AbortSignal): Promise<boolean> {
  const over = new AbortController();
  const end = (): void => over.abort();
  signal.addEventListener("abort", end);
  let dead = setTimeout(end, silence);
  let came = false;
  try {
    const stream = (await s.home.follow(request(s), over.signal)).getReader();
    for (let left = new Uint8Array(0); ; ) {
      const { done, value } = await stream.read();
      if (done) return came;
      clearTimeout(dead);
      dead = setTimeout(end, silence);
      came = true;
      left = concat(left, value);
      const whole = left.length - (left.length % event);
      if (grew(s, left.subarray(0, whole)) && !signal.aborted) news();
      left = left.slice(whole);
    }
  } catch {
    return came; // it is begun again
  } finally {
    clearTimeout(dead);
    signal.removeEventListener("abort", end);
    end();
  }
}

function request(s: Known): Bytes {
  const logs = [...s.logs.values()].sort((a, b) => compare(a.log, b.log));
  const w = writer().u32(logs.length);
  for (const l of logs) w.fixed(l.log).u64(l.head.size);
  return w.done();
}

/** Whether an event tells of more than is known by now. Heartbeats, and logs of others, tell of nothing. */
function grew(s: Known, events: Uint8Array): boolean {
  const sizes = new Map([...s.logs.values()].map((l) => [hex(l.log), l.head.size]));
  const r = reader(events, "news");
  const told = times(events.length / event, () => ({ log: hex(r.fixed(32)), size: r.count64(), block: r.count64() }));
  return told.some((e) => e.size > (sizes.get(e.log) ?? Number.POSITIVE_INFINITY));
}

function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
