import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { expect, test } from "vitest";
import { type Bytes, random } from "./bytes.ts";
import { helpersOf } from "./helpers.ts";
import { alone } from "./opening.ts";
import { line } from "./testing/line.ts";

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
  if (strong > 9) expect(hired.flatMap((h) => h.asked as { key: Bytes }[]).every((q) => q.key.every((b) => b === 0))).toBe(true); // wiped
});
