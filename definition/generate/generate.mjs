// Writes ../r4.txt, the elements and codes of FHIR R4, ../testdata/primitives.txt, the expressions of its primitive types, and
// ../../gateway/testdata/parameters.txt, the search parameters of each type and how they compare. The
// source is HL7's own package of R4, pinned in package-lock.json. Run it by hand: npm ci --ignore-scripts && node generate.mjs
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const from = new URL("node_modules/hl7.fhir.r4.examples/", import.meta.url);
const definitions = [], valueSets = new Map(), codeSystems = new Map();
for (const name of readdirSync(from).sort()) {
  if (!/^(StructureDefinition|ValueSet|CodeSystem)-.*\.json$/.test(name)) continue;
  const r = JSON.parse(readFileSync(new URL(name, from), "utf8"));
  if (r.resourceType === "ValueSet") valueSets.set(r.url, r);
  if (r.resourceType === "CodeSystem") codeSystems.set(r.url, r);
  if (r.resourceType === "StructureDefinition" && r.url === "http://hl7.org/fhir/StructureDefinition/" + r.name && r.kind !== "logical") definitions.push(r);
}

const last = (url) => url.split("|")[0].split("/").pop();
const cardinality = (e) => ({ "0..1": "?", "1..1": "1", "0..*": "*", "1..*": "+" })[`${e.min}..${e.max}`] ?? `${e.min}..${e.max}`;

// sets is what the required bindings ask for, by the name under which the table has it; a set whose codes nobody can list is null.
const sets = new Map();

function binding(e) {
  if (e.binding?.strength !== "required" || !e.type?.some((t) => ["code", "Coding", "CodeableConcept"].includes(t.code))) return "";
  const url = e.binding.valueSet.split("|")[0], name = last(url);
  if (!sets.has(name)) sets.set(name, { url, systems: expand(url) });
  if (sets.get(name).url !== url) throw new Error(`two value sets are called ${name}`);
  return sets.get(name).systems ? " =" + name : "";
}

function expand(url) {
  const vs = valueSets.get(url), systems = new Map();
  if (!vs || vs.compose.exclude) return null;
  for (const i of vs.compose.include) {
    const cs = codeSystems.get(i.system);
    if (i.filter || i.valueSet || (!i.concept && cs?.content !== "complete")) return null;
    const codes = systems.get(i.system) ?? [];
    const add = (concepts) => concepts?.forEach((c) => { codes.push(c.code); add(c.concept); });
    add(i.concept ?? cs.concept);
    systems.set(i.system, codes);
  }
  for (const c of [...systems.values()].flat()) if (/\s/.test(c)) throw new Error(`${url}: a code with white space: ${c}`);
  return systems;
}

function types(e) {
  if (e.contentReference) return e.contentReference.slice(1);
  return e.type.map((t) => {
    if (t.code.startsWith("http://hl7.org/fhirpath/")) { // no element, so nothing can be said about it beside it
      const name = t.extension?.find((x) => x.url.endsWith("structuredefinition-fhir-type"));
      return "!" + (e.base.path === "Resource.id" ? "id" : name.valueUrl ?? name.valueUri);
    }
    if (t.code === "BackboneElement" || t.code === "Element") return e.path;
    if (t.code === "Reference") {
      const to = (t.targetProfile ?? []).map(last);
      return to.length && !to.includes("Resource") ? `Reference(${to.join(",")})` : "Reference";
    }
    if (t.profile) {
      const p = last(t.profile[0]);
      if (t.code !== "Quantity" || !["SimpleQuantity", "MoneyQuantity"].includes(p)) throw new Error(`${e.path}: profile ${p}`);
      return p;
    }
    return t.code;
  }).join("|");
}

const blocks = [], primitives = [];
for (const d of definitions.sort((a, b) => (a.name < b.name ? -1 : 1))) {
  if (d.kind === "primitive-type") {
    const value = d.snapshot.element.find((e) => e.path.endsWith(".value"));
    const regex = value?.type[0].extension?.find((x) => x.url.endsWith("/regex"))?.valueString;
    if (regex) primitives.push(`${d.name} ${regex}\n`);
    continue;
  }
  const base = d.baseDefinition ? last(d.baseDefinition) : "";
  if (d.derivation === "constraint" && d.type !== "Quantity") continue; // profiles and extensions
  const rows = new Map([[d.name, []]]);
  if (d.derivation !== "constraint") {
    for (const e of d.snapshot.element.slice(1)) {
      const at = e.path.lastIndexOf("."), parent = e.path.slice(0, at), name = e.path.slice(at + 1);
      if (e.max === "0") continue;
      if (e.type?.some((t) => t.code === "BackboneElement" || t.code === "Element")) rows.set(e.path, []);
      if (e.base.path.split(".")[0] !== d.name && `${e.base.min}..${e.base.max}` === `${e.min}..${e.max}`) continue; // inherited
      rows.get(parent).push(` ${name} ${cardinality(e)}${e.isSummary ? "Σ" : ""} ${types(e)}${binding(e)}\n`);
    }
  }
  for (const [path, lines] of rows) {
    const element = d.snapshot.element.find((e) => e.path === path);
    const parent = path === d.name ? base : element.type[0].code;
    blocks.push(`type ${path} ${d.abstract && path === d.name ? "abstract" : d.kind === "resource" && path === d.name ? "resource" : "element"} ${parent}\n${lines.join("")}`);
  }
}

let out = "# FHIR R4 (4.0.1): elements and required codes. Made by generate/generate.mjs from hl7.fhir.r4.examples 4.0.1; the package's doc has the form.\n";
for (const [name, s] of [...sets].sort()) {
  if (!s.systems) { console.log(`no list of codes: ${s.url}`); continue; }
  out += `set ${name} ${s.url}\n`;
  for (const [system, codes] of s.systems) out += ` ${system} ${codes.join(" ")}\n`;
}
writeFileSync(new URL("../r4.txt", import.meta.url), out + blocks.join(""));
writeFileSync(new URL("../testdata/primitives.txt", import.meta.url), primitives.join(""));

const searched = new Map();
for (const name of readdirSync(from).sort()) {
  if (!/^SearchParameter-.*\.json$/.test(name)) continue;
  const p = JSON.parse(readFileSync(new URL(name, from), "utf8"));
  if (!p.url.startsWith("http://hl7.org/fhir/SearchParameter/") || /extension/i.test(p.expression ?? "extension") && !p.code.startsWith("_")) continue; // examples
  for (const type of p.base ?? []) searched.set(type, (searched.get(type) ?? new Map()).set(p.code, p.type));
}
let lines = "";
for (const [type, params] of [...searched].sort()) lines += `${type} ${[...params].sort().map(([name, how]) => name + ":" + how).join(" ")}\n`;
writeFileSync(new URL("../../gateway/testdata/parameters.txt", import.meta.url), lines);
