import { expect, test } from "vitest";
import { note, reading, typed, zoned } from "./own.ts";

test("a value keeps its digits, with a comma or a point, and nothing else is one", () => {
  expect(["70,30", "61", " 36.6 ", "", "1e3", "-4", "12345", "7 0"].map(typed)).toEqual([
    "70.30",
    "61",
    "36.6",
    null,
    null,
    null,
    null,
    null,
  ]);
  const json = reading("weight", ["70.30"], "2026-03-02T08:30:00+01:00", ["Weight"]);
  expect(json).toContain('"value":70.30,');
  expect(JSON.parse(json)).toMatchObject({
    code: { coding: [{ code: "29463-7" }], text: "Weight" },
    effectiveDateTime: "2026-03-02T08:30:00+01:00",
  });
});

test("a blood pressure has two values of one unit", () => {
  const o = JSON.parse(reading("pressure", ["120", "80"], "2026-03-02T08:30:00+01:00", ["Blood pressure", "Upper", "Lower"]));
  expect([o.valueQuantity, o.component.length, o.component[1].code.text, o.component[1].valueQuantity.value]).toEqual([
    undefined,
    2,
    "Lower",
    80,
  ]);
});

test("a time has the zone of here, and a note has its words", () => {
  expect(Date.parse(zoned("2026-03-02T08:30")!)).toBe(new Date("2026-03-02T08:30").getTime());
  expect(zoned("yesterday")).toBeNull();
  expect(JSON.parse(note("c", "Own note", " I slept well. ", "2026-03-02T08:30:00Z")).item[0].answer).toEqual([
    { valueString: "I slept well." },
  ]);
});
