/** Medicines, allergies and conditions as they stand now. */
import type { Item } from "./item.ts";
import { codings, hasCode, identifier, when } from "./read.ts";

export interface Medicine {
  item: Item;
  active: boolean;
  given: Item[]; // dispenses, newest first
  lasts: number; // until when the last dispense lasts, 0: not said
}

const live = ["active", "on-hold", "draft", "unknown", "intended"];

/** A dispense belongs to the request that it names, else to one of the same medicine. */
function belongs(dispense: Item, request: Item): boolean {
  const d = dispense.fhir;
  const r = request.fhir;
  if (d.resourceType !== "MedicationDispense") return false;
  if (r.resourceType === "MedicationRequest" && d.authorizingPrescription?.length) {
    return d.authorizingPrescription.some((a) => identifier(r.identifier, a.identifier) || a.reference?.endsWith(request.key));
  }
  const codes = new Set(codings(r).map((c) => `${c.system}|${c.code}`));
  return codings(d).some((c) => codes.has(`${c.system}|${c.code}`));
}

function until(d: Item | undefined): number {
  if (d?.fhir.resourceType !== "MedicationDispense") return 0;
  const from = when(d.fhir.whenHandedOver)?.at;
  const days = d.fhir.daysSupply?.value;
  return from && days ? from + days * 86_400_000 : 0;
}

export function medicines(items: Item[]): Medicine[] {
  const dispenses = items.filter((i) => i.kind === "dispense").sort((a, b) => b.at - a.at);
  return items
    .filter((i) => i.kind === "medicine")
    .map((m) => {
      const given = dispenses.filter((d) => belongs(d, m));
      return { item: m, active: live.includes(m.status), given, lasts: until(given[0]) };
    })
    .sort((a, b) => Number(b.active) - Number(a.active) || b.item.at - a.item.at);
}

/** Allergies and conditions that are not over and were not refuted. */
export function standing(items: Item[], kind: "allergy" | "condition"): Item[] {
  return items.filter((i) => {
    if (i.kind !== kind) return false;
    const r = i.fhir;
    if (r.resourceType !== "AllergyIntolerance" && r.resourceType !== "Condition") return false;
    return !hasCode(r.clinicalStatus, "inactive", "resolved", "remission") && !hasCode(r.verificationStatus, "refuted", "entered-in-error");
  });
}
