/** A reading as a FHIR Observation: the same reading has the same text, and a value keeps its digits (spec/device.md). */

export interface Measure {
  code: string; // LOINC
  name: string;
  text?: string; // what people call it, if that is not its name
}

/** One measurement. Values are numbers as they were written. */
export interface Reading {
  of: Measure;
  from: string; // 2026-03-02T08:30:00+01:00
  to: string;
  source: string;
  value: string; // "" if only its parts have one
  unit: string; // UCUM, of the value and of its parts
  parts: { of: Measure; value: string }[];
}

export const bloodPressure: Measure = { code: "85354-9", name: "Blood pressure panel with all children optional" };
export const systolic: Measure = { code: "8480-6", name: "Systolic blood pressure" };
export const diastolic: Measure = { code: "8462-4", name: "Diastolic blood pressure" };

/** How people write units that UCUM writes otherwise. */
const names: Record<string, string> = { "mm[Hg]": "mmHg", "[lb_av]": "lb", "[in_i]": "in", "{steps}": "steps", Cel: "°C" };

/** JSON text whose characters that mean something in HTML are escaped. */
const quoted = (x: unknown): string =>
  JSON.stringify(x).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

const concept = (m: Measure): string =>
  quoted({ coding: [{ system: "http://loinc.org", code: m.code, display: m.name }], text: m.text ?? m.name });

const quantity = (value: string, unit: string): string =>
  `{"value":${value},"unit":${quoted(names[unit] ?? unit)},"system":"http://unitsofmeasure.org","code":${quoted(unit)}}`;

const category = quoted([{ coding: [{ system: "http://terminology.hl7.org/CodeSystem/observation-category", code: "activity" }] }]);

export function observation(r: Reading): string {
  const at =
    Date.parse(r.from) === Date.parse(r.to)
      ? `"effectiveDateTime":${quoted(r.from)}`
      : `"effectivePeriod":{"end":${quoted(r.to)},"start":${quoted(r.from)}}`;
  const value = r.value === "" ? "" : `,"valueQuantity":${quantity(r.value, r.unit)}`;
  const device = r.source === "" ? "" : `,"device":{"display":${quoted(r.source)}}`;
  const parts = r.parts.map((p) => `{"code":${concept(p.of)},"valueQuantity":${quantity(p.value, r.unit)}}`).join(",");
  const component = parts === "" ? "" : `,"component":[${parts}]`;
  return `{"resourceType":"Observation","status":"final","category":${category},"code":${concept(r.of)},${at}${value}${device}${component}}`;
}

/** The date on which it was made, where it was made. */
export const dayOf = (r: Reading): string => r.from.slice(0, 10);
