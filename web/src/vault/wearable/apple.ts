/** An export.xml of Apple Health as readings, one after the other: the types, units and times of spec/device.md. What has no code there is counted. */

import { fail } from "../failure.ts";
import { bloodPressure, diastolic, type Measure, type Reading, systolic } from "./observation.ts";
import { tokens } from "./xml.ts";

interface Unit {
  ucum: string;
  factor?: number; // value × factor + shift; absent: as it is
  shift?: number;
}

type Known = Measure & { units: Record<string, Unit> };

const perMinute = { "count/min": { ucum: "/min" } };

const measures = new Map<string, Known>(
  Object.entries({
    HeartRate: { code: "8867-4", name: "Heart rate", units: perMinute },
    RestingHeartRate: { code: "40443-4", name: "Heart rate --resting", units: perMinute },
    RespiratoryRate: { code: "9279-1", name: "Respiratory rate", units: perMinute },
    HeartRateVariabilitySDNN: {
      code: "80404-7",
      name: "R-R interval.standard deviation (Heart rate variability)",
      units: { ms: { ucum: "ms" }, s: { ucum: "ms", factor: 1000 } },
    },
    OxygenSaturation: {
      code: "59408-5",
      name: "Oxygen saturation in Arterial blood by Pulse oximetry",
      units: { "%": { ucum: "%", factor: 100 } }, // exported as a fraction
    },
    BodyTemperature: {
      code: "8310-5",
      name: "Body temperature",
      units: { degC: { ucum: "Cel" }, degF: { ucum: "Cel", factor: 5 / 9, shift: -160 / 9 } },
    },
    BodyMass: {
      code: "29463-7",
      name: "Body weight",
      units: { kg: { ucum: "kg" }, g: { ucum: "g" }, lb: { ucum: "[lb_av]" }, st: { ucum: "kg", factor: 6.35029318 } },
    },
    Height: {
      code: "8302-2",
      name: "Body height",
      units: { cm: { ucum: "cm" }, m: { ucum: "cm", factor: 100 }, in: { ucum: "[in_i]" }, ft: { ucum: "[in_i]", factor: 12 } },
    },
    BodyMassIndex: { code: "39156-5", name: "Body mass index (BMI) [Ratio]", units: { count: { ucum: "kg/m2" } } },
    StepCount: { code: "55423-8", name: "Number of steps", units: { count: { ucum: "{steps}" } } },
    BloodGlucose: {
      code: "41653-7",
      name: "Glucose [Mass/volume] in Capillary blood by Glucometer",
      units: { "mg/dL": { ucum: "mg/dL" }, "mmol<180.1558800000541>/L": { ucum: "mg/dL", factor: 18.015588 } },
    },
  }).map(([name, m]) => [`HKQuantityTypeIdentifier${name}`, m]),
);

const plain = /^-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,20})?$/;

/** A number to the sixth decimal, halves away from zero. */
const rounded = (f: number): string => String((Math.sign(f) * Math.round(Math.abs(f) * 1e6)) / 1e6 || 0);

const valueIn = (u: Unit, v: string): string => (u.factor === undefined ? v : rounded(Number(v) * u.factor + (u.shift ?? 0)));

const dated = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) ([+-])(\d\d)(\d\d)$/;

/** A time of an export as FHIR writes it with its zone; null for none. */
function moment(s: string | undefined): string | null {
  const m = dated.exec(s ?? "");
  if (!m) return null;
  const [, day, clock, sign, hours, minutes] = m as unknown as [string, string, string, string, string, string];
  const offset = Number(hours) * 60 + Number(minutes);
  if (Number(minutes) > 59 || offset > 14 * 60 || day < "0001") return null;
  const local = new Date(`${day}T${clock}Z`);
  if (Number.isNaN(local.getTime()) || local.toISOString().slice(0, 19) !== `${day}T${clock}`) return null;
  return `${day}T${clock}${offset === 0 ? "+" : sign}${hours}:${minutes}`;
}

/** The name of a device or an app: at most 128 bytes. */
function sourceName(s: string | undefined): string {
  const line = (s ?? "").trim().split(/\s+/).join(" ");
  const bytes = new TextEncoder().encode(line);
  return bytes.length <= 128 ? line : new TextDecoder().decode(bytes.subarray(0, 128)).replace(/\ufffd+$/, "");
}

type Attributes = Map<string, string>;

function blank(of: Measure, at: Attributes): Reading | null {
  const [from, to] = [moment(at.get("startDate")), moment(at.get("endDate"))];
  if (!from || !to || Date.parse(to) < Date.parse(from)) return null;
  return { of: { code: of.code, name: of.name }, from, to, source: sourceName(at.get("sourceName")), value: "", unit: "", parts: [] };
}

function read(at: Attributes): Reading | null {
  const of = measures.get(at.get("type") ?? "");
  const unit = of && Object.hasOwn(of.units, at.get("unit") ?? "") ? of.units[at.get("unit")!] : undefined;
  const value = at.get("value") ?? "";
  const r = of && unit && plain.test(value) ? blank(of, at) : null;
  return r && { ...r, unit: unit!.ucum, value: valueIn(unit!, value) };
}

const pressureOf = "HKQuantityTypeIdentifierBloodPressure";

/**
 * Reads an export and gives one reading after the other, in the order of the file; null for each that was left out. Blood pressures are taken from their
 * correlations, which have both values: the records of each alone repeat them.
 */
export async function* apple(pieces: AsyncIterable<string>): AsyncGenerator<Reading | null> {
  let [depth, seen] = [0, false];
  let pressure: Reading | null = null;
  for await (const t of tokens(pieces)) {
    if ("end" in t) {
      if (t.end === "Correlation" && depth === 2 && pressure) {
        yield pressure.parts.every((p) => p.value !== "") ? pressure : null;
        pressure = null;
      }
      depth--;
      continue;
    }
    const { begin: name, attributes: at } = t;
    if (++depth === 1) {
      if (name !== "HealthData") fail("invalid", "this is no export of Apple Health");
      seen = true;
    }
    const type = at.get("type") ?? "";
    if (depth === 2 && name === "Correlation" && type === "HKCorrelationTypeIdentifierBloodPressure") {
      const r = blank(bloodPressure, at);
      pressure = r && {
        ...r,
        unit: "mm[Hg]",
        parts: [systolic, diastolic].map((of) => ({ of, value: "" })),
      };
      if (!pressure) yield null;
    } else if (depth === 3 && name === "Record" && pressure && at.get("unit") === "mmHg" && plain.test(at.get("value") ?? "")) {
      const i = [`${pressureOf}Systolic`, `${pressureOf}Diastolic`].indexOf(type);
      if (i >= 0) pressure.parts[i]!.value = at.get("value")!;
    } else if (depth === 2 && name === "Record" && !type.startsWith(pressureOf)) yield read(at);
  }
  if (!seen) fail("invalid", "this is no export of Apple Health: it has no HealthData");
}
