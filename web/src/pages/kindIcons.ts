/** An icon for each kind of entry. */
import type { Kind } from "../fhir/item.ts";
import type { IconName } from "../ui/Icon.tsx";

export const kindIcons: Record<Kind, IconName> = {
  visit: "visit",
  vital: "pulse",
  lab: "flask",
  medicine: "pill",
  dispense: "pill",
  allergy: "alert",
  condition: "record",
  immunization: "syringe",
  procedure: "activity",
  document: "note",
  report: "flask",
  device: "watch",
  person: "person",
  coverage: "card",
  plan: "record",
  other: "record",
};
