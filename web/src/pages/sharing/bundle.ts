/** Grants as people think of them: one organisation, what for, until when; the ledger has one for each section. */
import type { Grant, Party, SectionName } from "../../vault/api.ts";
import { clinicalSections } from "../../vault/names.ts";

export interface Bundle {
  id: string;
  purpose: string;
  rights: Grant["rights"];
  until: number;
  label: string;
  everything: boolean;
  grants: Grant[];
}

export interface Sharer {
  id: string;
  party: Party;
  bundles: Bundle[];
}

export const live = (g: Grant): boolean => g.state === "in-force" || g.state === "not-yet";

const partyId = (p: Party): string =>
  p.kind === "member" ? `m${p.number}` : p.kind === "device" ? `d${p.name}` : p.kind === "proxy" ? `p${p.id}` : p.kind;

export function sharers(grants: Grant[]): Sharer[] {
  const out = new Map<string, Sharer>();
  for (const g of grants) {
    const id = partyId(g.to);
    const s = out.get(id) ?? { id, party: g.to, bundles: [] };
    out.set(id, s);
    const terms = `${g.purpose}|${[...g.rights].sort().join()}|${g.until}|${g.uses}|${g.everything}|${g.label}`;
    const b = s.bundles.find((x) => x.id === terms);
    if (b) b.grants.push(g);
    else
      s.bundles.push({
        id: terms,
        purpose: g.purpose,
        rights: g.rights,
        until: g.until,
        label: g.label,
        everything: g.everything,
        grants: [g],
      });
  }
  return [...out.values()];
}

/** The sections that nobody else may read. */
export function unseen(grants: Grant[]): SectionName[] {
  const read = new Set(grants.filter((g) => live(g) && g.rights.includes("read")).map((g) => g.section));
  return clinicalSections.filter((s) => !read.has(s));
}

/** Sections that law protects most: they begin unticked, and stand apart. */
export const sensitive: readonly SectionName[] = ["mental-health", "substance-use", "sexual-health", "hiv", "genetics"];
export const ordinary: readonly SectionName[] = clinicalSections.filter((s) => !sensitive.includes(s));

export const may = (rights: Grant["rights"]): "read" | "write" | "both" =>
  rights.includes("read") ? (rights.includes("write") ? "both" : "read") : "write";
