/**
 * A resource as pages show it: what it is, what it is called, its value, when, by whom. The clinical date counts, not that of the ledger.
 *
 *     Observation "Blood pressure", 142/91 mmHg, high, 8 Nov 2023, Dr. Farid Rahimi, St. Elena Hospital
 */
import type { Resource as Row, Version } from "../vault/api.ts";
import { type Flag, line, type Part, parts, worst } from "./measure.ts";
import { codings, type FhirResource, hasCode, label, labels, named, quantity, target, text, type When, when } from "./read.ts";

export const kinds = [
  "visit",
  "vital",
  "lab",
  "medicine",
  "dispense",
  "allergy",
  "condition",
  "immunization",
  "procedure",
  "document",
  "report",
  "device",
  "person",
  "coverage",
  "plan",
  "other",
] as const;
export type Kind = (typeof kinds)[number];

export interface Item {
  key: string;
  kind: Kind;
  row: Row;
  version: Version;
  fhir: FhirResource;
  at: number;
  exact: boolean;
  title: string;
  value: string;
  parts: Part[];
  flag: Flag;
  who: string; // the person whom the resource names
  from: string; // the organisation that signed it; "" for the patient's own
  visit: string; // key of its encounter
  note: string; // longer text
  status: string;
  search: string;
}

interface Shown {
  kind: Kind;
  title: string;
  when: When | null;
  value?: string;
  parts?: Part[];
  who?: string;
  visit?: string;
  note?: string;
  status?: string | undefined;
}

const notes = (all: { text: string }[] | undefined): string => (all ?? []).map((n) => n.text).join("\n");

function observation(r: FhirResource & { resourceType: "Observation" }): Shown {
  const p = parts(r);
  const category = (...codes: string[]) => r.category?.some((c) => hasCode(c, ...codes)) ?? false;
  const kind = category("vital-signs") ? "vital" : category("laboratory") ? "lab" : category("activity") ? "device" : "other";
  return {
    kind,
    title: label(r.code),
    when: when(r.effectiveDateTime ?? r.effectivePeriod?.start ?? r.effectiveInstant ?? r.issued),
    parts: p,
    value: line(p),
    who: named(r.performer?.[0]),
    visit: target(r.encounter),
    note: notes(r.note),
    status: r.status,
  };
}

/** What kinds of resources say; of all others only a name. */
function shown(r: FhirResource): Shown {
  switch (r.resourceType) {
    case "Observation":
      return observation(r);
    case "Encounter":
      return {
        kind: "visit",
        title: labels(r.type) || (r.class?.display ?? r.class?.code ?? ""),
        when: when(r.period?.start),
        who: named(r.participant?.[0]?.individual),
        value: named(r.serviceProvider),
        note: labels(r.reasonCode),
        status: r.status,
      };
    case "Condition":
      return {
        kind: "condition",
        title: label(r.code),
        when: when(r.onsetDateTime ?? r.recordedDate),
        who: named(r.recorder ?? r.asserter),
        visit: target(r.encounter),
        note: notes(r.note),
        status: label(r.clinicalStatus),
      };
    case "AllergyIntolerance":
      return {
        kind: "allergy",
        title: label(r.code),
        when: when(r.recordedDate ?? r.onsetDateTime),
        value: labels(r.reaction?.flatMap((x) => x.manifestation)),
        who: named(r.recorder ?? r.asserter),
        visit: target(r.encounter),
        note: notes(r.note),
        status: label(r.clinicalStatus),
      };
    case "MedicationRequest":
      return {
        kind: "medicine",
        title: label(r.medicationCodeableConcept) || named(r.medicationReference),
        when: when(r.authoredOn),
        value: r.dosageInstruction?.[0]?.text ?? "",
        who: named(r.requester),
        visit: target(r.encounter),
        note: notes(r.note),
        status: r.status,
      };
    case "MedicationStatement":
      return {
        kind: "medicine",
        title: label(r.medicationCodeableConcept) || named(r.medicationReference),
        when: when(r.effectiveDateTime ?? r.effectivePeriod?.start ?? r.dateAsserted),
        value: r.dosage?.[0]?.text ?? "",
        who: named(r.informationSource),
        note: notes(r.note),
        status: r.status,
      };
    case "MedicationDispense":
      return {
        kind: "dispense",
        title: label(r.medicationCodeableConcept) || named(r.medicationReference),
        when: when(r.whenHandedOver ?? r.whenPrepared),
        value: quantity(r.quantity),
        who: named(r.performer?.[0]?.actor),
        note: r.dosageInstruction?.[0]?.text ?? "",
        status: r.status,
      };
    case "Immunization":
      return {
        kind: "immunization",
        title: label(r.vaccineCode),
        when: when(r.occurrenceDateTime),
        value: "",
        who: named(r.performer?.[0]?.actor),
        visit: target(r.encounter),
        note: notes(r.note),
        status: r.status,
      };
    case "Procedure":
      return {
        kind: "procedure",
        title: label(r.code),
        when: when(r.performedDateTime ?? r.performedPeriod?.start),
        who: named(r.performer?.[0]?.actor),
        visit: target(r.encounter),
        note: notes(r.note),
        status: r.status,
      };
    case "DiagnosticReport":
      return {
        kind: "report",
        title: label(r.code),
        when: when(r.effectiveDateTime ?? r.effectivePeriod?.start ?? r.issued),
        who: named(r.performer?.[0]),
        visit: target(r.encounter),
        note: r.conclusion ?? "",
        status: r.status,
      };
    case "DocumentReference":
      return {
        kind: "document",
        title: label(r.type) || (r.description ?? ""),
        when: when(r.date ?? r.context?.period?.start),
        who: named(r.author?.[0]),
        visit: target(r.context?.encounter?.[0]),
        note: (r.content ?? []).map((c) => text(c.attachment?.contentType, c.attachment?.data)).join("\n"),
        status: r.status,
      };
    case "Patient":
      return {
        kind: "person",
        title: r.name?.[0]?.text ?? [...(r.name?.[0]?.given ?? []), r.name?.[0]?.family].filter(Boolean).join(" "),
        when: null,
      };
    case "Coverage":
      return {
        kind: "coverage",
        title: labels(r.type ? [r.type] : []) || named(r.payor?.[0]),
        when: when(r.period?.start),
        who: named(r.payor?.[0]),
        status: r.status,
      };
    case "CarePlan":
      return {
        kind: "plan",
        title: r.title || labels(r.category),
        when: when(r.period?.start ?? r.created),
        note: r.description ?? "",
        who: named(r.author),
        visit: target(r.encounter),
        status: r.status,
      };
    case "QuestionnaireResponse": {
      const said = (r.item ?? []).flatMap((i) => (i.answer ?? []).map((a) => a.valueString ?? "")).filter(Boolean);
      return { kind: "document", title: r.item?.[0]?.text ?? "", when: when(r.authored), note: said.join("\n"), status: r.status };
    }
    case "Binary":
      return { kind: "document", title: r.contentType, when: null };
    case "Task":
      return {
        kind: "other",
        title: label(r.code),
        when: when(r.authoredOn),
        who: named(r.owner),
        note: [r.description ?? "", r.statusReason?.text ?? ""].filter(Boolean).join("\n"),
        status: r.status,
      };
    default: {
      const any = r as { code?: unknown; title?: unknown; status?: unknown };
      const title = typeof any.title === "string" ? any.title : any.code && typeof any.code === "object" ? label(any.code) : "";
      return { kind: "other", title, when: null, status: typeof any.status === "string" ? any.status : undefined };
    }
  }
}

/** Case and accents don't count when people search. */
export const folded = (s: string): string => s.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();

/** The item of a resource; null for one that is deleted or isn't readable. */
export function item(row: Row): Item | null {
  const version = row.current;
  if (version.status !== "active" || !version.json) return null;
  try {
    const fhir = JSON.parse(version.json) as FhirResource;
    const s = shown(fhir);
    const from = version.author.member || (version.author.own ? "" : version.author.name);
    const title = s.title || row.type;
    const found = [title, s.value, s.who, from, version.author.device, s.note, ...codings(fhir).flatMap((c) => [c.display, c.code])];
    return {
      key: row.key,
      kind: s.kind,
      row,
      version,
      fhir,
      at: s.when?.at ?? version.created,
      exact: s.when?.exact ?? true,
      title,
      value: s.value ?? "",
      parts: s.parts ?? [],
      flag: worst(s.parts ?? []),
      who: s.who ?? "",
      from,
      visit: s.visit ?? "",
      note: s.note ?? "",
      status: s.status ?? "",
      search: folded(found.filter(Boolean).join(" \u0000 ")),
    };
  } catch {
    return null;
  }
}
