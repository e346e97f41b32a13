import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { expect, test } from "vitest";
import { type Bytes, random } from "./bytes.ts";
import { type Answered, type Asked, type Helper, help, helpersOf } from "./helpers.ts";
import { alone } from "./opening.ts";

/** A helper at the end of a line that copies what goes over it. It breaks down when it has done so many. */
function line(strong = Number.POSITIVE_INFINITY): Helper & { keys: Bytes[] } {
  const heard: ((e: MessageEvent<Answered>) => void)[] = [];
  const broke: (() => void)[] = [];
  const keys: Bytes[] = [];
  const port: Parameters<typeof help>[0] = {
    postMessage: (m) => void Promise.resolve(structuredClone(m)).then((data) => heard[0]!({ data } as MessageEvent<Answered>)),
    onmessage: null,
  };
  help(port, alone);
  let left = strong;
  return {
    keys,
    postMessage: (m: Asked) => {
      const data = structuredClone(m) as Asked & { question: { key: Bytes } };
      keys.push(data.question.key);
      void Promise.resolve().then(() => (left-- > 0 ? port.onmessage!({ data } as MessageEvent<Asked>) : broke[0]!()));
    },
    addEventListener: (kind: "message" | "error", h: (e: MessageEvent<Answered>) => void) => {
      if (kind === "message") heard.push(h);
      else broke.push(h as () => void);
    },
  };
}

test.each([
  [0, 9],
  [2, Number.POSITIVE_INFINITY],
  [2, 1], // each breaks down
])("%d helpers, or nobody when they break down, give each call its own secret", async (most, strong) => {
  const hired: ReturnType<typeof line>[] = [];
  const ask = helpersOf(
    () => {
      hired.push(line(strong));
      return hired.at(-1)!;
    },
    most,
    alone,
  );
  const pair = ml_kem768.keygen(random(64));
  const sent = Array.from({ length: 8 }, () => ml_kem768.encapsulate(pair.publicKey));
  const got = await Promise.all(sent.map((s) => ask("kem", { key: new Uint8Array(pair.secretKey), cipher: new Uint8Array(s.cipherText) })));
  expect(got).toEqual(sent.map((s) => new Uint8Array(s.sharedSecret)));
  expect(hired.length).toBe(most);
  if (strong > 9) expect(hired.flatMap((h) => h.keys).every((k) => k.every((b) => b === 0))).toBe(true); // wiped
});
