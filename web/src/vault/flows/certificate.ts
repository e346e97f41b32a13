/** What became of orders to destroy, at each member: asked of the home member, and held against the genesis. */

import type { Certified, ErasureOrder } from "../api.ts";
import { hex } from "../bytes.ts";
import { fail } from "../failure.ts";
import { byPlace, type Certificate, decodeCertificate, encodeCertificate, storedLog, verifyCertificate } from "../ledger/certificate.ts";
import type { Session } from "./session.ts";
import { logOf } from "./sync.ts";

const atOnce = 64; // orders in one call

export async function certificate(s: Session, orders: ErasureOrder[]): Promise<Certified> {
  const wanted = orders.map((o) => ({ log: logOf(s, o.section).log, number: o.entry })).sort(byPlace);
  if (wanted.length === 0) return fail("invalid", "a certificate of nothing");
  const whole: Certificate = { orders: [], deletions: [] };
  for (let i = 0; i < wanted.length; i += atOnce) {
    const batch = wanted.slice(i, i + atOnce);
    const c = decodeCertificate(await s.home.certificate(batch));
    if (c.orders.length !== batch.length || c.orders.some((o, n) => byPlace(o.destroy, batch[n]!) !== 0))
      return fail("altered", "a certificate of other orders");
    whole.orders.push(...c.orders);
    whole.deletions = newest(s, [...whole.deletions, ...c.deletions]);
  }
  const shown = await verifyCertificate(whole, s.genesis, s.agreed);
  const members = s.genesis.members.map((m, number) => {
    const words = shown.map((x) => x.deleted[number]?.at ?? 0);
    return { number, name: m.name, deleted: words.includes(0) ? 0 : Math.max(...words) };
  });
  return { members, file: new Blob([encodeCertificate(whole)], { type: "application/octet-stream" }) };
}

/** Of each member's words the last, in the order of the genesis: by the log of storage receipts, where one's words stand alone. */
function newest(s: Session, all: Certificate["deletions"]): Certificate["deletions"] {
  const last = new Map<string, Certificate["deletions"][number]>();
  for (const d of all) {
    const log = hex(d.receipt.log);
    const known = last.get(log);
    if (!known || known.receipt.number < d.receipt.number) last.set(log, d);
  }
  return s.genesis.members.flatMap((m) => last.get(hex(storedLog(s.genesis.network, m.sign))) ?? []);
}
