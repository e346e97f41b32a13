import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Bytes, concat, hex } from "./bytes.ts";
import { followerOf, type Known } from "./follow.ts";
import { u64 } from "./wire.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const [a, b] = [new Uint8Array(32).fill(1) as Bytes, new Uint8Array(32).fill(2) as Bytes];
const beat = new Uint8Array(48) as Bytes;
const told = (log: Bytes, size: number): Bytes => concat(log, u64(size), u64(9));

/** A home member whose streams the test writes. */
function member(sizes = { a: 3, b: 0 }) {
  const streams: { body: string; say(x: Uint8Array): void; end(): void; signal: AbortSignal }[] = [];
  const session: Known = {
    home: {
      follow: async (body, signal) => {
        let to: ReadableStreamDefaultController<Uint8Array>;
        const stream = new ReadableStream<Uint8Array>({
          start: (c) => {
            to = c;
          },
        });
        signal.addEventListener("abort", () => to.error(new Error("aborted")));
        streams.push({ body: hex(body), say: (x) => to.enqueue(x), end: () => to.close(), signal });
        return stream;
      },
    },
    logs: new Map([
      ["second", { log: b, head: { size: sizes.b } }],
      ["first", { log: a, head: { size: sizes.a } }],
    ]),
  };
  return { session, streams };
}

const quiet = () => vi.advanceTimersByTimeAsync(0);

test("an event that tells of more than is known is news, in whatever pieces it comes", async () => {
  const { session, streams } = member();
  const news = vi.fn();
  const f = followerOf(news);
  f.start(session);
  f.start(session); // the same one
  await quiet();
  expect(streams.map((s) => s.body)).toEqual([hex(concat(new Uint8Array([0, 0, 0, 2]), a, u64(3), b, u64(0)))]);
  const [s] = streams;
  s!.say(beat);
  s!.say(told(a, 3)); // known
  s!.say(told(new Uint8Array(32).fill(7) as Bytes, 100)); // another's
  await quiet();
  expect(news).toHaveBeenCalledTimes(0);
  const e = concat(beat, told(a, 4), told(b, 1));
  s!.say(e.slice(0, 70));
  await quiet();
  expect(news).toHaveBeenCalledTimes(0);
  s!.say(e.slice(70));
  await quiet();
  expect(news).toHaveBeenCalledTimes(1);
  session.logs.set("first", { log: a, head: { size: 4 } });
  s!.say(told(a, 4)); // synced meanwhile
  await quiet();
  expect(news).toHaveBeenCalledTimes(1);
  f.stop();
  await quiet();
  expect(s!.signal.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(streams.length).toBe(1);
});

test("a stream that breaks off or falls silent is begun again, after pauses that double until something comes", async () => {
  const { session, streams } = member();
  const f = followerOf(() => undefined);
  f.start(session);
  await quiet();
  for (let pause = 1000, n = 1; n < 10; n++, pause = Math.min(2 * pause, 60_000)) {
    streams.at(-1)!.end();
    await vi.advanceTimersByTimeAsync(pause / 2 - 1);
    expect(streams.length).toBe(n);
    await vi.advanceTimersByTimeAsync(pause / 2 + 1);
    expect(streams.length).toBe(n + 1);
  }
  streams.at(-1)!.say(beat);
  await vi.advanceTimersByTimeAsync(44_999);
  expect(streams.at(-1)!.signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(streams.at(-1)!.signal.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(1000);
  expect(streams.length).toBe(11);
  f.stop();
});
