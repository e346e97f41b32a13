/** Hides single records from one who may read others, and shows them again: the grant is given anew without or with them, and the old one ends. */

import type { Final } from "../api.ts";
import { hex } from "../bytes.ts";
import { fail } from "../failure.ts";
import { sealGrant } from "../grant/message.ts";
import { including, type Range, readRight, without } from "../ledger/terms.ts";
import { type SectionName, sections } from "../names.ts";
import { times } from "../wire.ts";
import { readNotes } from "./notes.ts";
import type { Session } from "./session.ts";
import { exchangeOf, grants, stop } from "./sharing.ts";
import { place, signed, submit } from "./submit.ts";
import { proofOf, syncLogs } from "./sync.ts";

/** Hides records. */
export const hide = (s: Session, id: string, entries: number[]): Promise<Final> => anew(s, id, (r) => without(r, entries));

/** Lets somebody read records that were hidden from them. */
export const unhide = (s: Session, id: string, entries: number[]): Promise<Final> => anew(s, id, (r) => including(r, entries));

/**
 * Crash points: the new grant is on the ledger before the old one ends, so that nothing else is lost to the reader; a break between leaves what was
 * shared before, and the same again goes on.
 */
async function anew(s: Session, id: string, change: (ranges: Range[]) => Range[]): Promise<Final> {
  const section = sections.find((x: SectionName) => id.startsWith(`${x}/`)) ?? fail("not-shared", "there is no such grant");
  await syncLogs(s, [section, "index"]);
  const shown =
    (await grants(s)).find((g) => g.id === id && ["in-force", "not-yet"].includes(g.state)) ?? fail("not-shared", "there is no such grant");
  const k = await s.patient.section(section);
  const { head } = await proofOf(s, k.log, 0);
  const g = head.grants.find((x) => x.entry === shown.entry)!;
  const named = (await readNotes(s)).names.get(hex(g.terms.key));
  const to = exchangeOf(s, named);
  if (!named || !to || (g.terms.rights & readRight) === 0) return fail("invalid", "nobody reads by that grant");
  const ranges = change(g.terms.ranges);
  if (ranges.length === 0) return stop(s, (x) => x.id === id);
  const uses = g.terms.uses === 0 ? 0 : g.terms.uses - g.used;
  const terms = { ...g.terms, ranges, uses, parent: 0n };
  const epochs = times(head.epoch, (e) => e + 1);
  const message = await s.home.putBlob(await sealGrant(s.patient, k, to, { purpose: named.purpose, label: named.label, terms, epochs }));
  const given = await signed(s, k.owner, k.log, { kind: "grant", terms, message });
  await place(s, [given], await submit(s, [given]));
  const ended = await signed(s, k.owner, k.log, { kind: "revoke", grant: g.entry });
  const final = await place(s, [ended], await submit(s, [ended]));
  await syncLogs(s, [section]);
  return final;
}
