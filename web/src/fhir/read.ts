/** Small readers of FHIR R4 elements. What a record holds was signed by its author, not made by us: everything may be absent. */
import type { CodeableConcept, Coding, FhirResource, Identifier, Quantity, Reference } from "fhir/r4";

export type { CodeableConcept, Coding, FhirResource, Quantity, Reference } from "fhir/r4";

/** A moment as far as the author knew it. */
export interface When {
  at: number;
  exact: boolean; // has a time of day
}

/** A FHIR date, dateTime or instant. Dates without a time are noon UTC, so that they are the same day nearly everywhere. */
export function when(s: string | undefined): When | null {
  if (!s) return null;
  const exact = s.includes("T");
  const full = s.length === 4 ? `${s}-07-01` : s.length === 7 ? `${s}-15` : s;
  const at = Date.parse(exact ? s : `${full}T12:00:00Z`);
  return Number.isNaN(at) ? null : { at, exact };
}

/** What a concept is called: by its author, else by a coding, else its code. */
export const label = (c: CodeableConcept | undefined): string =>
  c?.text || c?.coding?.find((x) => x.display)?.display || c?.coding?.[0]?.code || "";

export const labels = (all: CodeableConcept[] | undefined): string => (all ?? []).map(label).filter(Boolean).join(", ");

export const hasCode = (c: CodeableConcept | undefined, ...codes: string[]): boolean =>
  c?.coding?.some((x) => codes.includes(x.code ?? "")) ?? false;

const high = (digits: string): string => [...digits].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(d)]).join("");

/** Units as people write them: UCUM's annotations and brackets are for machines, and a power stands high. */
export function unit(q: Quantity | undefined): string {
  const u = q?.unit ?? q?.code ?? "";
  const plain: Record<string, string> = { "mm[Hg]": "mmHg", Cel: "°C", "{dose}": "", "1": "", "/min": "/min", d: "d" };
  const shown = u
    .replace(/\{1\.73_m2\}/g, "1.73m2")
    .replace(/\{[^}]*\}/g, "")
    .replace(/[[\]]/g, "")
    .replace(/^10[*^](\d+)/, (_, n: string) => `10${high(n)}`)
    .replace(/(^|[^a-z])m([23])\b/g, (_, before: string, n: string) => `${before}m${high(n)}`)
    .replace(/\bu(?=(?:g|l|L|m|mol|kat)\b)/g, "µ");
  return plain[u] ?? shown;
}

export function quantity(q: Quantity | undefined): string {
  if (q?.value === undefined) return "";
  return [`${q.comparator ?? ""}${q.value}`, unit(q)].filter(Boolean).join(" ");
}

/** Type and id of a reference, as resources have them for keys. */
export function target(r: Reference | undefined): string {
  const parts = (r?.reference ?? "").split("/_history/")[0]?.split("/") ?? [];
  return parts.length >= 2 ? parts.slice(-2).join("/") : "";
}

/** Whom a reference names. */
export const named = (r: Reference | undefined): string => r?.display ?? "";

export const identifier = (all: Identifier[] | undefined, i: Identifier | undefined): boolean =>
  !!i?.value && (all ?? []).some((x) => x.value === i.value && x.system === i.system);

/** All codings of a resource: of any element, in the order in which they stand. */
export function codings(r: FhirResource): Coding[] {
  const out: Coding[] = [];
  const look = (x: unknown) => {
    if (Array.isArray(x)) for (const y of x) look(y);
    else if (x && typeof x === "object") {
      for (const [name, y] of Object.entries(x)) {
        if (name === "coding" && Array.isArray(y)) out.push(...(y as Coding[]));
        else look(y);
      }
    }
  };
  look(r);
  const seen = new Set<string>();
  return out.filter((c) => c.code && !seen.has(`${c.system}|${c.code}`) && seen.add(`${c.system}|${c.code}`));
}

/** Text of an attachment that holds some, "" otherwise. */
export function text(contentType: string | undefined, data: string | undefined): string {
  if (!data || !contentType?.startsWith("text/plain")) return "";
  try {
    const s = new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)));
    return /[^\P{Cc}\t\n\r]/u.test(s) ? "" : s; // bytes that are called text
  } catch {
    return "";
  }
}
