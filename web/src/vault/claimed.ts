/**
 * What a patient took over from a custodian (spec/claim.md): the root in custody, and up to which epoch its reader keys go. With it the logs of the chart
 * take the place of the own ones, but for the index.
 */

import type { Bytes } from "./bytes.ts";
import { fail } from "./failure.ts";
import { type Patient, patientOf, type SectionKeys } from "./keys.ts";
import { clinicalSections, type SectionName } from "./names.ts";
import { reader, writer } from "./wire.ts";

export interface Claim {
  root: Bytes; // secret
  epochs: Map<SectionName, number>; // of the clinical sections
}

/** For this browser to seal. */
export function encodeClaim(c: Claim): Bytes {
  const w = writer().u8(1).fixed(c.root);
  for (const s of clinicalSections) w.u32(c.epochs.get(s) ?? 0);
  return w.done();
}

export function decodeClaim(b: Bytes): Claim {
  const r = reader(b, "claim");
  if (r.u8() !== 1) return fail("damaged", "a claim of another version");
  const root = r.fixed(32);
  const epochs = new Map(clinicalSections.map((s) => [s, r.u32()]));
  r.end();
  return [...epochs.values()].includes(0) ? fail("damaged", "a claim without an epoch") : { root, epochs };
}

/** What the root in custody can do. The claim keeps it. */
export const custodyOf = (network: Bytes, c: Claim, native = true): Promise<Patient> => patientOf(network, c.root.slice(), native);

/** The keys of a patient who claims, or claimed, a chart. */
export async function claimedOf(own: Patient, c: Claim, native = true): Promise<Patient> {
  const custody = await custodyOf(own.network, c, native);
  const mine = await own.claiming(custody.chart);
  const epochs = new Map(c.epochs);
  return {
    network: own.network,
    local: own.local,
    chart: custody.chart,
    claiming: own.claiming,
    invitation: own.invitation,
    claimed: epochs,
    section: async (s) => (s === "index" ? own.section(s) : taken(await custody.section(s), await mine.section(s), epochs.get(s) ?? 0)),
  };
}

/** The log of the one with the keys of the other. */
function taken(old: SectionKeys, mine: SectionKeys, until: number): SectionKeys {
  const of = (epoch: number): SectionKeys => (epoch <= until ? old : mine);
  return {
    section: old.section,
    log: old.log,
    salt: old.salt,
    owner: mine.owner,
    exchange: { ...mine.exchange, before: old.exchange },
    readerSeed: (e) => of(e).readerSeed(e),
    readerPublic: (e) => of(e).readerPublic(e),
  };
}
