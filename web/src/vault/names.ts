/** The permanent numbers of the field and their names: sections, purposes of use, rights, reasons (spec/sections.md, operations.md). */

/** In the order of their numbers, from 1. */
export const sections = [
  "demographics",
  "summary",
  "medications",
  "immunizations",
  "labs",
  "vitals",
  "encounters",
  "procedures",
  "imaging",
  "patient-generated",
  "coverage",
  "care-plans",
  "mental-health",
  "substance-use",
  "sexual-health",
  "hiv",
  "genetics",
  "inbox",
  "index",
] as const;

export type SectionName = (typeof sections)[number];

/** All but the inbox and the index: those that hold FHIR resources. */
export const clinicalSections: readonly SectionName[] = sections.slice(0, 17);

export const sectionNumber = (s: SectionName): number => sections.indexOf(s) + 1;

/** Of a number of the wire; undefined for one that is no section. */
export const sectionName = (n: number): SectionName | undefined => sections[n - 1];

/** Purposes of use (HL7 v3-ActReason) that a grantee key can be made for. */
export const purposes = ["TREAT", "ETREAT", "HPAYMT", "HOPERAT", "HRESCH", "PUBHLTH", "FAMRQT", "PATRQT"] as const;

/** Those that a person reads for another for (spec/proxy.md). */
export const proxyPurposes = ["FAMRQT", "PWATRNY"] as const;

export const rights = { write: 1, read: 2, post: 4, subGrant: 8, actFor: 16 } as const;

/** What the ledger decided of an access, by its number. */
export const reasons = [
  "allowed",
  "no-such-grant",
  "revoked",
  "parent-ended",
  "not-yet",
  "expired",
  "used-up",
  "outside",
  "no-right",
  "erased",
] as const;

export type Reason = (typeof reasons)[number];

export type GrantState = "in-force" | "not-yet" | "revoked" | "expired" | "used-up" | "parent-ended";

/** Who is behind a key. */
export type Party =
  | { kind: "member"; number: number; name: string; memberKind: string }
  | { kind: "device"; name: string }
  | { kind: "proxy"; name: string; id: string } // who reads for the patient, by the invitation's id
  | { kind: "link"; name: string } // whoever has a health link; the name is the patient's own for it
  | { kind: "patient" }
  | { kind: "unknown" }; // a key that no note of the patient's names
