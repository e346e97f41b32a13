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

const same = (a: Access, b: Access): boolean =>
  party(a) === party(b) &&
  a.person === b.person &&
  a.practitioner === b.practitioner &&
  a.purpose === b.purpose &&
  a.reason === b.reason &&
  a.outcome === b.outcome &&
  a.machine === b.machine &&
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

/** The sections of a look, each once, and how many records were named in all. */
export const sectionsOf = (l: Look): SectionName[] => [...new Set(l.rows.map((r) => r.section))];
export const recordsOf = (l: Look): number => l.rows.reduce((n, r) => n + r.records, 0);
