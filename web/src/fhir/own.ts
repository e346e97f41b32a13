/** What a patient writes: a note, or a value that was measured at home. Values have the codes of the readings of devices (spec/device.md). */
import { bloodPressure, diastolic, type Measure, observation, systolic } from "../vault/wearable/observation.ts";

export interface Measurable extends Measure {
  unit: string; // UCUM
  shown: string;
  parts: Measure[]; // [] : one value
}

export const measurable = {
  pressure: { ...bloodPressure, unit: "mm[Hg]", shown: "mmHg", parts: [systolic, diastolic] },
  pulse: { code: "8867-4", name: "Heart rate", unit: "/min", shown: "/min", parts: [] },
  weight: { code: "29463-7", name: "Body weight", unit: "kg", shown: "kg", parts: [] },
  temperature: { code: "8310-5", name: "Body temperature", unit: "Cel", shown: "°C", parts: [] },
  glucose: { code: "41653-7", name: "Glucose [Mass/volume] in Capillary blood by Glucometer", unit: "mg/dL", shown: "mg/dL", parts: [] },
  oxygen: { code: "59408-5", name: "Oxygen saturation in Arterial blood by Pulse oximetry", unit: "%", shown: "%", parts: [] },
} as const satisfies Record<string, Measurable>;

export type What = keyof typeof measurable;
export const whats = Object.keys(measurable) as What[];

/** A number as people type it, as JSON has it; null if it is none or of no sense for a measure. */
export function typed(s: string): string | null {
  const plain = s.trim().replace(",", ".");
  return /^(0|[1-9]\d{0,3})(\.\d{1,3})?$/.test(plain) ? plain : null;
}

/** A local time of an input ("2026-03-02T08:30") with the zone that it is in here; null for none. */
export function zoned(local: string): string | null {
  const d = new Date(local);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(local) || Number.isNaN(d.getTime())) return null;
  const minutes = -d.getTimezoneOffset();
  const two = (n: number) => String(Math.floor(n)).padStart(2, "0");
  return `${local}:00${minutes < 0 ? "-" : "+"}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

/** A measurement; names are what the person calls it and its parts. */
export function reading(what: What, values: string[], at: string, names: string[]): string {
  const m: Measurable = measurable[what];
  const [text = m.name, ...inner] = names;
  const parts = m.parts.map((of, i) => ({ of: { ...of, text: inner[i] ?? of.name }, value: values[i]! }));
  return observation({
    of: { code: m.code, name: m.name, text },
    from: at,
    to: at,
    source: "",
    value: m.parts.length > 0 ? "" : values[0]!,
    unit: m.unit,
    parts,
  });
}

export const note = (patient: string, title: string, text: string, at: string): string =>
  JSON.stringify({
    resourceType: "QuestionnaireResponse",
    status: "completed",
    subject: { reference: `Patient/${patient}` },
    authored: at,
    source: { reference: `Patient/${patient}` },
    item: [{ linkId: "note", text: title, answer: [{ valueString: text.trim() }] }],
  });
