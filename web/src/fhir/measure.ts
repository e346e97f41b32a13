/** Observations as measures: a value, the range that its author calls usual, and whether the value lies in it. */
import type { Observation, ObservationComponent, ObservationReferenceRange } from "fhir/r4";
import { type CodeableConcept, hasCode, label, quantity, unit } from "./read.ts";

export type Flag = "high" | "low" | "critical-high" | "critical-low" | "abnormal" | "normal" | "";

export interface Part {
  code: string;
  name: string;
  value: number | null;
  shown: string; // with its unit, as the author gave it
  unit: string;
  flag: Flag;
  low: number | null;
  high: number | null;
  range: string;
}

/** Codes of v3-ObservationInterpretation. */
function stated(all: CodeableConcept[] | undefined): Flag {
  for (const c of all ?? []) {
    if (hasCode(c, "HH", "HU")) return "critical-high";
    if (hasCode(c, "LL", "LU")) return "critical-low";
    if (hasCode(c, "H", "HX")) return "high";
    if (hasCode(c, "L", "LX")) return "low";
    if (hasCode(c, "A", "AA", "POS", "DET")) return "abnormal";
    if (hasCode(c, "N", "NEG", "ND")) return "normal";
  }
  return "";
}

const usual = (r: ObservationReferenceRange[] | undefined) => r?.find((x) => !x.type || hasCode(x.type, "normal")) ?? r?.[0];

/** What the author says of the value; where it says nothing, what its own range says. */
function flag(o: Observation | ObservationComponent, value: number | null, low: number | null, high: number | null): Flag {
  const said = stated(o.interpretation);
  if (said || value === null) return said;
  if (high !== null && value > high) return "high";
  if (low !== null && value < low) return "low";
  return low !== null || high !== null ? "normal" : "";
}

function shown(o: Observation | ObservationComponent): string {
  if (o.valueQuantity) return quantity(o.valueQuantity);
  if (o.valueCodeableConcept) return label(o.valueCodeableConcept);
  if (o.valueString) return o.valueString;
  if (o.valueInteger !== undefined) return String(o.valueInteger);
  if (o.valueRange) return `${quantity(o.valueRange.low)} – ${quantity(o.valueRange.high)}`;
  if (o.valueRatio) return `${quantity(o.valueRatio.numerator)} : ${quantity(o.valueRatio.denominator)}`;
  if (o.valueDateTime) return o.valueDateTime;
  if (o.valueTime) return o.valueTime;
  return "";
}

function part(o: Observation | ObservationComponent): Part {
  const value = o.valueQuantity?.value ?? o.valueInteger ?? null;
  const r = usual(o.referenceRange);
  const low = r?.low?.value ?? null;
  const high = r?.high?.value ?? null;
  const range =
    r?.text ?? (low !== null && high !== null ? `${low} – ${high}` : low !== null ? `≥ ${low}` : high !== null ? `≤ ${high}` : "");
  return {
    code: o.code?.coding?.[0]?.code ?? label(o.code),
    name: label(o.code),
    value,
    shown: shown(o),
    unit: unit(o.valueQuantity),
    flag: flag(o, value, low, high),
    low,
    high,
    range: range && unit(o.valueQuantity) && !r?.text ? `${range} ${unit(o.valueQuantity)}` : range,
  };
}

/** The parts of an observation: its own value, or those of its components. */
export function parts(o: Observation): Part[] {
  const own = part(o);
  const inner = (o.component ?? []).map(part).filter((p) => p.shown);
  return own.shown || inner.length === 0 ? [own, ...inner] : inner;
}

const order: Flag[] = ["critical-high", "critical-low", "high", "low", "abnormal", "normal", ""];

export const worst = (all: Part[]): Flag => order.find((f) => all.some((p) => p.flag === f)) ?? "";

/** One line for all parts: 120/80 mmHg for a pair of one unit. */
export function line(all: Part[]): string {
  const units = new Set(all.map((p) => p.unit));
  if (all.length === 2 && units.size === 1 && all.every((p) => p.value !== null)) {
    return [all.map((p) => p.value).join("/"), [...units][0]].filter(Boolean).join(" ");
  }
  if (all.length === 1) return all[0]?.shown ?? "";
  return all.map((p) => `${p.name} ${p.shown}`).join(", ");
}
