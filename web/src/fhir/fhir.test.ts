import { expect, test } from "vitest";
import type { Resource } from "../vault/api.ts";
import { type Item, item, type Kind } from "./item.ts";
import { medicines, standing } from "./medicines.ts";
import { quantity } from "./read.ts";
import { series } from "./series.ts";
import { timeline } from "./timeline.ts";

let n = 0;

/** A resource as the vault gives it. */
function row(fhir: { resourceType: string; id?: string } & Record<string, unknown>, member = "St. Elena"): Resource {
  const id = fhir.id ?? `r${++n}`;
  const author = { member, number: 0, practitioner: "", name: "", role: "", own: false, device: "" };
  const current = {
    section: "vitals" as const,
    log: "",
    entry: n,
    block: n,
    at: 0,
    created: Date.UTC(2026, 0, 1),
    record: "",
    author,
    status: "active" as const,
    blocked: false,
    json: JSON.stringify({ ...fhir, id }),
  };
  return { key: `${fhir.resourceType}/${id}`, type: fhir.resourceType, id, current, versions: [current], forked: false, foreign: 0 };
}

const items = (...all: Resource[]): Item[] => all.map((r) => item(r)).filter((i) => i !== null);

const pressure = (day: string, systolic: number, more: object = {}) =>
  row({
    resourceType: "Observation",
    category: [{ coding: [{ code: "vital-signs" }] }],
    code: { coding: [{ code: "85354-9" }], text: "Blood pressure" },
    effectiveDateTime: day,
    component: [
      {
        code: { coding: [{ code: "8480-6" }], text: "Systolic" },
        valueQuantity: { value: systolic, unit: "mm[Hg]" },
        referenceRange: [{ low: { value: 90 }, high: { value: 139 } }],
      },
      { code: { coding: [{ code: "8462-4" }], text: "Diastolic" }, valueQuantity: { value: 80, unit: "mm[Hg]" } },
    ],
    ...more,
  });

test("a pair of one unit is one value, and what is out of the author's range is high", () => {
  const [i] = items(pressure("2026-03-01T10:00:00Z", 150));
  expect([i!.value, i!.flag, i!.parts[0]!.range]).toEqual(["150/80 mmHg", "high", "90 – 139 mmHg"]);
});

test("what the author says of a value counts before the range", () => {
  const glucose = { coding: [{ code: "2345-7" }], text: "Glucose" };
  const said = { interpretation: [{ coding: [{ code: "N" }] }], referenceRange: [{ high: { value: 5 } }] };
  const [i] = items(row({ resourceType: "Observation", code: glucose, valueQuantity: { value: 6, unit: "mmol/L" }, ...said }));
  expect([i!.flag, i!.value]).toEqual(["normal", "6 mmol/L"]);
});

test("a trend has its values oldest first, and other units apart", () => {
  const weight = (day: string, value: number, unit: string) =>
    row({
      resourceType: "Observation",
      category: [{ coding: [{ code: "vital-signs" }] }],
      code: { coding: [{ code: "29463-7" }], text: "Weight" },
      effectiveDateTime: day,
      valueQuantity: { value, unit },
    });
  const all = series(items(weight("2026-02-01", 62, "kg"), weight("2026-01-01", 61, "kg"), weight("2025-01-01", 135, "lb")));
  expect(all.map((s) => [s.unit, s.lines[0]!.points.map((p) => p.value)])).toEqual([
    ["kg", [61, 62]],
    ["lb", [135]],
  ]);
});

test("the timeline has visits with what was done in them, days for the rest, newest first; and is searched without case or accents", () => {
  const all = items(
    row({ resourceType: "Encounter", id: "e1", period: { start: "2026-01-10T09:00:00Z" }, type: [{ text: "Check-up" }] }),
    pressure("2026-01-10T09:10:00Z", 120, { encounter: { reference: "Encounter/e1" } }),
    row({ resourceType: "Procedure", code: { text: "Électrocardiogramme" }, performedDateTime: "2026-02-02" }),
  );
  const none = { words: "", kinds: new Set<Kind>(), from: "" };
  const shape = (f: typeof none) => timeline(all, f).map((g) => [g.visit?.title ?? "", g.items.map((i) => i.title)]);
  expect(shape(none)).toEqual([
    ["", ["Électrocardiogramme"]],
    ["Check-up", ["Blood pressure"]],
  ]);
  expect(shape({ ...none, words: "ELECTRO gramme" })).toEqual([["", ["Électrocardiogramme"]]]);
  expect(shape({ ...none, words: "85354-9" })).toEqual([["Check-up", ["Blood pressure"]]]);
  expect(shape({ ...none, kinds: new Set<Kind>(["visit"]) })).toEqual([["Check-up", []]]);
  expect(shape({ ...none, from: "Another hospital" })).toEqual([]);
});

test("medicines know their dispenses and how long they last, and refuted allergies are none", () => {
  const lisinopril = { coding: [{ system: "rxnorm", code: "314076" }], text: "Lisinopril 10 mg" };
  const [m, other] = medicines(
    items(
      row({ resourceType: "MedicationRequest", status: "active", intent: "order", medicationCodeableConcept: lisinopril }),
      row({ resourceType: "MedicationRequest", status: "stopped", intent: "order", medicationCodeableConcept: { text: "Other" } }),
      row({
        resourceType: "MedicationDispense",
        status: "completed",
        medicationCodeableConcept: lisinopril,
        whenHandedOver: "2026-01-01T12:00:00Z",
        daysSupply: { value: 90 },
      }),
    ),
  );
  expect([m!.active, m!.given.length, new Date(m!.lasts).toISOString().slice(0, 10)]).toEqual([true, 1, "2026-04-01"]);
  expect([other!.active, other!.given.length]).toEqual([false, 0]);
  const allergy = (text: string, status: string) =>
    row({ resourceType: "AllergyIntolerance", code: { text }, verificationStatus: { coding: [{ code: status }] } });
  expect(standing(items(allergy("Penicillin", "confirmed"), allergy("Nuts", "refuted")), "allergy").map((i) => i.title)).toEqual([
    "Penicillin",
  ]);
});

test("what is deleted or doesn't read is no item, and what is odd is shown as far as it goes", () => {
  const broken = row({ resourceType: "Observation" });
  broken.current.json = "{";
  const gone = row({ resourceType: "Observation" });
  gone.current.status = "deleted";
  expect(items(broken, gone)).toEqual([]);
  const [odd] = items(row({ resourceType: "Basic", code: { text: "Something new" } }));
  expect([odd!.kind, odd!.title, odd!.at]).toEqual(["other", "Something new", Date.UTC(2026, 0, 1)]);
});

test.each([
  ["mL/min/{1.73_m2}", "mL/min/1.73m²"],
  ["10*3/uL", "10³/µL"],
  ["10^12/L", "10¹²/L"],
  ["kg/m2", "kg/m²"],
  ["umol/L", "µmol/L"],
  ["{steps}", ""],
  ["U/L", "U/L"],
  ["mm[Hg]", "mmHg"],
])("%s is shown as %s", (unit, shown) => {
  expect(quantity({ value: 4, unit })).toBe(`4 ${shown}`.trim());
});
