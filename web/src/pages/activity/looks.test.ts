import { expect, test } from "vitest";
import type { Access, SectionName } from "../../vault/api.ts";
import { looks, recordsOf, sectionsOf, toReview } from "./looks.ts";

const row = (section: SectionName, at: number, o: Partial<Access> = {}): Access => ({
  id: `${section}/${at}`,
  section,
  entry: at,
  block: at,
  at,
  by: { kind: "member", number: 0, name: "St. Elena", memberKind: "provider" },
  purpose: "TREAT",
  practitioner: "okafor",
  person: "Dr. Okafor",
  role: "",
  organisation: "",
  reason: "",
  machine: false,
  explained: true,
  introduced: true,
  records: 2,
  resources: [],
  kept: false,
  further: false,
  link: null,
  outcome: "allowed",
  count: 1,
  reviewed: false,
  ...o,
});

test("what one person opened in one go is one look, and holds all its rows", () => {
  const all = looks([row("vitals", 9000), row("labs", 8000), row("vitals", 7000)]);
  expect(all.map((l) => [l.rows.length, recordsOf(l), sectionsOf(l)])).toEqual([[3, 6, ["vitals", "labs"]]]);
});

test("each opening of a health link is a look of its own, at what is in it", () => {
  const link = { sections: ["summary", "medications"] as SectionName[] };
  const all = looks([row("index", 9000, { link }), row("index", 8000, { link })]);
  expect(all.map(sectionsOf)).toEqual([link.sections, link.sections]);
});

test("another person, result, reason or minute is another look", () => {
  const at = 1_000_000;
  const all = looks([
    row("vitals", at),
    row("vitals", at, { person: "Dr. Moreau" }),
    row("vitals", at, { outcome: "revoked" }),
    row("vitals", at, { outcome: "revoked", reason: "check" }),
    row("vitals", at - 120_000, { outcome: "revoked", reason: "check" }),
  ]);
  expect(all.map((l) => l.rows.length)).toEqual([1, 1, 1, 1, 1]);
});

test("software's looks are folded however long they took, a refused one stands alone", () => {
  const all = looks([
    row("vitals", 9e8, { machine: true }),
    row("labs", 1e8, { machine: true }),
    row("labs", 1e7, { machine: true, outcome: "expired" }),
  ]);
  expect(all.map((l) => l.rows.length)).toEqual([2, 1]);
});

test("an emergency is to review until it is confirmed or asked about; what was refused, and what was none, is not", () => {
  const at = 1_800_000_000_000;
  const e = { purpose: "ETREAT" };
  const rows = [
    row("labs", at, e),
    row("vitals", at - 1000, e),
    row("labs", at - 100_000, { ...e, person: "Dr. Silva" }),
    row("labs", at - 200_000, { ...e, person: "Dr. Weber", reviewed: true }),
    row("labs", at - 300_000, { ...e, outcome: "revoked" }),
    row("labs", at - 400_000),
  ];
  expect(toReview(rows, new Set()).map((l) => [l.first.person, l.rows.length])).toEqual([
    ["Dr. Okafor", 2],
    ["Dr. Silva", 1],
  ]);
  expect(toReview(rows, new Set([`vitals/${at - 1000}`])).map((l) => l.first.person)).toEqual(["Dr. Silva"]);
});
