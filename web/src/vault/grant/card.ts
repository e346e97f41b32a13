/** The claim card (spec/claim-card.md). It is a secret. */

import { type Bytes, hex } from "../bytes.ts";
import { fail } from "../failure.ts";
import { reader } from "../wire.ts";
import { check, readCode } from "./base32.ts";

export interface ClaimCard {
  network: Bytes; // the first three bytes of its id
  member: number; // the custodian
  chart: string;
  secret: Bytes;
}

export function parseCard(typed: string): ClaimCard {
  const b = readCode(typed, "vitalog:claim?", "card");
  const r = reader(b, "claim card");
  if (r.u8() !== 1) return fail("card-version", "a card of another version");
  check(b, "vitalog/v1/claim-card", "card");
  return { network: r.fixed(3), member: r.u16(), chart: uuid(r.fixed(16)), secret: r.fixed(16) };
}

function uuid(b: Bytes): string {
  const h = hex(b);
  return [h.slice(0, 8), h.slice(8, 12), h.slice(12, 16), h.slice(16, 20), h.slice(20)].join("-");
}
