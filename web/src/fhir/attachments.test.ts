import { expect, test } from "vitest";
import type { Resource } from "../vault/api.ts";
import { attachments, fileName, look } from "./attachments.ts";
import { item } from "./item.ts";

function row(json: object & { resourceType: string; id: string }): Resource {
  const author = { member: "St. Elena", number: 0, practitioner: "", name: "", role: "", own: false, device: "" };
  const place = { section: "imaging" as const, log: "", entry: 1, block: 1, at: 1, created: 1, record: "", blocked: false };
  const current = { ...place, author, status: "active" as const, json: JSON.stringify(json) };
  return {
    key: `${json.resourceType}/${json.id}`,
    type: json.resourceType,
    id: json.id,
    current,
    versions: [current],
    forked: false,
    foreign: 0,
  };
}

const document = (...all: object[]) =>
  row({ resourceType: "DocumentReference", id: "d", status: "current", content: all.map((attachment) => ({ attachment })) } as never);

test("files are those within, and the record's own Binaries; none of elsewhere", () => {
  const scan = row({ resourceType: "Binary", id: "b1", contentType: "image/png" } as never);
  const d = document(
    { contentType: "text/plain; charset=utf-8", data: "aGVsbG8=", title: "a letter" },
    { url: "https://st-elena.example/fhir/Binary/b1", contentType: "image/png", size: 12 },
    { url: "https://elsewhere.example/picture.png", contentType: "image/png" },
  );
  expect(attachments(item(d)!, [scan, d])).toMatchObject([
    { title: "a letter", type: "text/plain", data: "aGVsbG8=", binary: null },
    { type: "image/png", size: 12, data: null, binary: { key: "Binary/b1" } },
  ]);
});

test("what may hold script is saved and not shown, under a name that says nothing", () => {
  expect(["image/svg+xml", "text/html", "application/pdf", ""].map(look)).toEqual([null, null, null, null]);
  expect(["application/pdf", "text/html"].map(fileName)).toEqual(["vitalog-attachment.pdf", "vitalog-attachment.bin"]);
});
