/**
 * Looks, as people think of them: what one person opened in one go is one look, although each section's log has a row of its own. Nothing is
 * left out: a look holds its rows.
 */
import type { Access, SectionName } from "../../vault/api.ts";

export interface Look {
  id: string;
  first: Access; // the newest
  rows: Access[];
}

const moment = 60_000;

const party = (r: Access): string =>
  r.by.kind === "member" ? `m${r.by.number}` : r.by.kind === "device" ? `d${r.by.name}` : r.by.kind === "proxy" ? `p${r.by.id}` : r.by.kind;

/** Each opening of a health link is one: what people say of themselves may be the same. */
const same = (a: Access, b: Access): boolean =>
  !a.link &&
  party(a) === party(b) &&
  a.person === b.person &&
  a.practitioner === b.practitioner &&
  a.purpose === b.purpose &&
  a.reason === b.reason &&
  a.outcome === b.outcome &&
  a.machine === b.machine &&
  a.kept === b.kept &&
  (a.machine || Math.abs(a.at - b.at) <= moment);

/** Rows newest first into looks newest first. What software of one member did in a row is one, however long it took. */
export function looks(rows: Access[]): Look[] {
  const out: Look[] = [];
  for (const r of rows) {
    const last = out.at(-1);
    if (last && same(last.rows.at(-1)!, r)) last.rows.push(r);
    else out.push({ id: r.id, first: r, rows: [r] });
  }
  return out;
}

/** Looks in an emergency that the patient has neither confirmed nor asked about: `asked` has the rows that were. */
export const toReview = (rows: Access[], asked: ReadonlySet<string>): Look[] =>
  looks(rows.filter((r) => r.purpose === "ETREAT" && r.outcome === "allowed")).filter(
    (l) => !l.rows.some((r) => r.reviewed || asked.has(r.id)),
  );

/** What was opened: of a health link what is in it. */
export const sectionsIn = (r: Access): SectionName[] => r.link?.sections ?? [r.section];

/** The sections of a look, each once, and how many records were named in all. */
export const sectionsOf = (l: Look): SectionName[] => [...new Set(l.rows.flatMap(sectionsIn))];
export const recordsOf = (l: Look): number => l.rows.reduce((n, r) => n + r.records, 0);
