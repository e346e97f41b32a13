/**
 * What the patient asked an author about: that an entry is wrong, or that a look was not recognised; and what came of it (spec/corrections.md).
 *
 *     Task "requested" of the patient's own, on Observation/pulse-1, and a Task "completed" of its author, based on it: corrected
 */
import type { Task } from "fhir/r4";
import type { Access, Resource, SectionName } from "../vault/api.ts";
import type { Item } from "./item.ts";
import { hasCode, target } from "./read.ts";

export const whys = ["value", "not-mine", "outdated", "missing", "other"] as const;
export type Why = (typeof whys)[number];

export type Progress = "sent" | "looked-at" | "corrected" | "declined";

export interface Asked {
  key: string; // of the patient's Task
  about: string; // key of the entry, or of the row: log/entry
  kind: "entry" | "access";
  at: number;
  text: string;
  to: string; // the organisation
  state: Progress;
  answer: string; // words of who answered
  answered: number; // 0: not yet
}

const types = "http://hl7.org/fhir/uv/patient-corrections/CodeSystem/PatientCorrectionTaskTypes";
export const longest = 2000; // characters of the patient's words

/** A label of v3-ActCode that keeps a Task in the section of what it is about; the others go to care-plans. */
const labels: Partial<Record<SectionName, string>> = {
  "mental-health": "MH",
  "substance-use": "SUD",
  "sexual-health": "SEX",
  hiv: "HIV",
  genetics: "GDIS",
};

/** Where a request about a section goes, and so who reads it. */
export const placeOf = (s: SectionName): SectionName => (labels[s] ? s : "care-plans");

const task = (patient: string, section: SectionName, to: string, text: string, now: number) => ({
  resourceType: "Task",
  ...(labels[section]
    ? { meta: { security: [{ system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: labels[section] }] } }
    : {}),
  status: "requested",
  intent: "order",
  for: { reference: `Patient/${patient}` },
  requester: { reference: `Patient/${patient}` },
  ...(to ? { owner: { display: to } } : {}),
  authoredOn: new Date(now).toISOString(),
  description: text.trim().slice(0, longest),
});

/** The Task by which the author of an entry is asked to correct it. */
export const correction = (patient: string, i: Item, why: Why, text: string, now: number): string =>
  JSON.stringify({
    ...task(patient, i.version.section, i.version.author.member, text, now),
    code: { coding: [{ system: types, code: "medRecCxReq", display: "Medical Record Correction Request" }] },
    focus: { reference: `${i.key}/_history/${i.version.entry}` },
    reasonCode: { coding: [{ system: "urn:vitalog:correction", code: why }] },
  });

/** The Task by which an organisation is asked about a look. */
export const complaint = (patient: string, r: Access, text: string, now: number): string =>
  JSON.stringify({
    ...task(patient, r.section, r.by.kind === "member" ? r.by.name : "", text, now),
    code: { coding: [{ system: "urn:vitalog:task", code: "access" }] },
    input: [{ type: { text: "entry of the access log" }, valueString: r.id }],
  });

const states: Partial<Record<Task["status"], Progress>> = {
  accepted: "looked-at",
  ready: "looked-at",
  "in-progress": "looked-at",
  "on-hold": "looked-at",
  completed: "corrected",
  rejected: "declined",
  cancelled: "declined",
  failed: "declined",
  "entered-in-error": "declined",
};

function read(r: Resource): Task | null {
  if (r.type !== "Task" || r.current.status !== "active" || !r.current.json) return null;
  try {
    return JSON.parse(r.current.json) as Task;
  } catch {
    return null;
  }
}

/** All that the patient asked, newest first. An answer counts from the member whose entry or look it is about. */
export function asked(all: Resource[], rows: Access[]): Asked[] {
  const tasks = all.flatMap((row) => {
    const t = read(row);
    return t ? [{ row, t }] : [];
  });
  const authors = new Map(all.map((r) => [r.key, r.current.author.number]));
  const looked = new Map(rows.map((r) => [r.id, r.by.kind === "member" ? r.by.number : -1]));
  const out: Asked[] = [];
  for (const { row, t } of tasks) {
    const kind = hasCode(t.code, "medRecCxReq") ? "entry" : hasCode(t.code, "access") ? "access" : null;
    if (!row.current.author.own || row.current.author.device || !kind) continue;
    const about = kind === "entry" ? target(t.focus) : (t.input?.[0]?.valueString ?? "");
    const author = (kind === "entry" ? authors : looked).get(about) ?? -1;
    const answer = tasks
      .filter((x) => x.row.current.author.number === author && author >= 0 && x.t.basedOn?.some((b) => target(b) === row.key))
      .sort((a, b) => b.row.current.at - a.row.current.at)[0];
    const state = answer ? (states[answer.t.status] ?? "sent") : "sent";
    out.push({
      key: row.key,
      about,
      kind,
      at: row.current.created,
      text: t.description ?? "",
      to: t.owner?.display ?? "",
      state,
      answer: answer?.t.statusReason?.text ?? "",
      answered: answer && state !== "sent" ? answer.row.current.at : 0,
    });
  }
  return out.sort((a, b) => b.at - a.at);
}
