import { describe, expect, test } from "vitest";
import { type Bytes, hex, sha256, unhex } from "../bytes.ts";
import { signerOf } from "../crypto/ed25519.ts";
import { vectors } from "../testing/vectors.ts";
import type { Item } from "./content.ts";
import { openContent, openManifest, signContent } from "./content.ts";
import { fold, type Version } from "./fold.ts";
import { render, scan } from "./json.ts";
import { placeOf } from "./types.ts";

const altered = expect.objectContaining({ failure: "altered" });

describe("a content", () => {
  const v = vectors<{ seed: string; record: string; content: string }>("content");

  test("says what the vectors say", async () => {
    const c = await openContent(unhex(v.content), unhex(v.record));
    expect([c.author.member, c.author.practitioner, c.author.name, c.author.role]).toEqual([
      "St. Elena",
      "pr-17",
      "Dr. Ada Lund",
      "physician",
    ]);
    expect(c.items.map((x) => [x.type, x.id, x.status, x.supersedes, [...x.refs]])).toEqual([
      ["Observation", "o1", "active", [4, 9], [["urn:uuid:1", "Patient/p"]]],
      ["Condition", "c1", "deleted", [5], []],
    ]);
    const [o] = c.items;
    expect(render(o!.json, o!.scanned!, { id: "o1", version: 12, at: 1_760_000_000_000, refs: o!.refs })).toBe(
      '{"resourceType":"Observation","id":"o1","meta":{"versionId":"12","lastUpdated":"2025-10-09T08:53:20.000Z"},"subject":{"reference":"Patient/p"},"valueDecimal":1.50}',
    );
  });

  test("is refused for another record, or with any byte changed", async () => {
    const b = unhex(v.content);
    await expect(openContent(b, sha256(b))).rejects.toThrow(altered);
    for (let i = 0; i < b.length; i++) {
      const bad = b.slice();
      bad[i]! ^= 1;
      await expect(openContent(bad, unhex(v.record)), `byte ${i}`).rejects.toThrow(
        expect.objectContaining({ failure: expect.any(String) }),
      );
    }
    await expect(openContent(new Uint8Array([...b, 0]), unhex(v.record))).rejects.toThrow(altered);
  });

  test("of the patient's own reads back", async () => {
    const by = await signerOf(unhex(v.seed));
    const json = '{"resourceType":"Observation","status":"final"}';
    const b = await signContent(by, unhex(v.record), 7, [{ type: "Observation", id: "a", json, supersedes: [3] }]);
    const c = await openContent(b, unhex(v.record));
    expect([c.author.member, hex(c.author.key), c.created, c.items[0]!.json]).toEqual(["", hex(by.public), 7, json]);
  });

  test("of an attachment is a manifest", async () => {
    const a = vectors<{ record: string; size: number; manifest: string }>("attachment");
    const m = await openManifest(unhex(a.manifest), unhex(a.record));
    expect([m.size, m.sums.length, m.items[0]!.type, m.items[0]!.id]).toEqual([a.size, 2, "Binary", "ct1"]);
    await expect(openManifest(unhex(a.manifest), sha256(new Uint8Array(1)))).rejects.toThrow(altered);
  });
});

describe("JSON", () => {
  test("keeps every byte that is not rewritten", () => {
    const src =
      '{"resourceType":"X","id":"old","meta":{"versionId":"9","tag":[{"code":"a"}],"lastUpdated":"x"},"contained":[{"reference":"urn:1"},{"a":{"reference":"#c"}}],"v":0.0,"e":1E+2,"s":"\\u00e9/"}';
    expect(
      render(src, scan(src), {
        id: "n",
        version: 3,
        at: 0,
        refs: new Map([
          ["urn:1", "Patient/1"],
          ["#c", "no"],
        ]),
      }),
    ).toBe(
      '{"resourceType":"X","id":"n","meta":{"versionId":"3","lastUpdated":"1970-01-01T00:00:00.000Z","tag":[{"code":"a"}]},"contained":[{"reference":"Patient/1"},{"a":{"reference":"#c"}}],"v":0.0,"e":1E+2,"s":"\\u00e9/"}',
    );
  });

  test.each([
    "",
    "[]",
    "{",
    " {}",
    "{} ",
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"a":null}',
    '{"a":01}',
    '{"a":1.}',
    '{"a":"\n"}',
    '{"a":"\\ud800"}',
    '{"a":tru}',
    '{"a":[1,]}',
    `{"a":${"[".repeat(64)}${"]".repeat(64)}}`,
  ])("refuses %s", (src) => expect(() => scan(src)).toThrow(altered));

  test.each([
    '{"a":[null]}',
    '{"a":{}}',
    '{ "a" : [ 1 , 2 ] }',
    `{"a":${"[".repeat(63)}${"]".repeat(63)}}`,
    '{"a":-0.5e-7}',
    '{"a":"\u007f\u00e9😀"}',
  ])("reads %s", (src) => expect(scan(src).members.has("a")).toBe(true));
});

test("the types are those of the specification", () => {
  const { types } = vectors<{ types: Record<string, string> }>("sections");
  for (const [type, place] of Object.entries(types)) expect(placeOf(type)).toBe(place);
  expect(placeOf("Banana")).toBeUndefined();
});

describe("the fold", () => {
  const made = (at: number, log: string, entry: number, by: string, status: Item["status"], supersedes: number[] = []): Version => ({
    section: log === "hiv" ? "hiv" : "labs",
    log,
    entry,
    at,
    created: at,
    author: { member: by, key: new Uint8Array(32) as Bytes, practitioner: "", name: "", role: "" },
    authorKey: by,
    item: { type: "Observation", id: "o1", status, supersedes, json: "" },
    number: 0,
  });

  test("lets an author amend, and nobody else", () => {
    const [o] = fold([made(3, "labs", 12, "B", "active", [9]), made(1, "labs", 4, "A", "active"), made(2, "labs", 9, "A", "active", [4])]);
    expect([o!.current.entry, o!.history.map((v) => v.entry), o!.foreign.map((v) => v.entry)]).toEqual([9, [4, 9], [12]]);
  });

  test("tells a fork, of which the newest counts", () => {
    const [o] = fold([made(1, "labs", 4, "A", "active"), made(2, "labs", 9, "A", "active"), made(3, "labs", 10, "A", "active", [11])]);
    expect([o!.heads.length, o!.current.entry]).toEqual([3, 10]);
  });

  test("follows a resource into another section", () => {
    const [o] = fold([made(1, "labs", 4, "A", "active"), made(2, "hiv", 2, "A", "active"), made(3, "labs", 12, "A", "deleted", [4])]);
    expect([o!.current.log, o!.heads.length, o!.history.length]).toEqual(["hiv", 1, 2]);
  });
});
