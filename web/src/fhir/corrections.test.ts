import { expect, test } from "vitest";
import type { Access, Resource } from "../vault/api.ts";
import { asked, complaint, correction, placeOf } from "./corrections.ts";
import { item } from "./item.ts";

let clock = 0;

/** A resource as the vault gives it, signed by a member or, without one, by the patient. */
function row(json: string, id: string, member = -1, section: Resource["current"]["section"] = "vitals"): Resource {
  const fhir = JSON.parse(json) as { resourceType: string };
  const author = {
    member: member < 0 ? "" : `Member ${member}`,
    number: member,
    practitioner: "",
    name: "",
    role: "",
    own: member < 0,
    device: "",
  };
  const at = ++clock;
  const place = { section, log: "", entry: 7, block: at, at, created: at, record: "" };
  const current = { ...place, author, status: "active" as const, blocked: false, json };
  return { key: `${fhir.resourceType}/${id}`, type: fhir.resourceType, id, current, versions: [current], forked: false, foreign: 0 };
}

const pulse = row('{"resourceType":"Observation","status":"final","code":{"text":"Pulse"}}', "pulse-1", 1);
const answer = (status: string, to: string, member: number) =>
  row(
    JSON.stringify({ resourceType: "Task", status, basedOn: [{ reference: to }], statusReason: { text: "a typing error" } }),
    `a${++clock}`,
    member,
  );

test("a request names the version that the patient saw, and its author's answer alone counts", () => {
  const json = correction("chart-1", item(pulse)!, "value", " It was 62. ", Date.UTC(2026, 10, 28));
  expect(JSON.parse(json)).toMatchObject({
    status: "requested",
    focus: { reference: "Observation/pulse-1/_history/7" },
    for: { reference: "Patient/chart-1" },
    owner: { display: "Member 1" },
    description: "It was 62.",
  });
  const mine = row(json, "t1");
  expect(asked([pulse, mine], [])).toMatchObject([{ about: "Observation/pulse-1", to: "Member 1", state: "sent", answered: 0 }]);
  const other = answer("rejected", "Task/t1", 0);
  expect(asked([pulse, mine, other], [])[0]!.state).toBe("sent");
  const looking = answer("in-progress", "Task/t1", 1);
  expect(asked([pulse, mine, other, looking], [])[0]!.state).toBe("looked-at");
  const done = answer("completed", "Task/t1", 1);
  expect(asked([pulse, mine, looking, done], [])[0]).toMatchObject({
    state: "corrected",
    answer: "a typing error",
    answered: done.current.at,
  });
});

test("a request of somebody else is none of the patient's", () => {
  const json = correction("chart-1", item(pulse)!, "value", "no", 0);
  expect(asked([pulse, row(json, "t2", 1)], [])).toEqual([]);
});

test("what is about a sensitive section stays in it", () => {
  const test = row(pulse.current.json, "hiv-1", 1, "hiv");
  expect(JSON.parse(correction("c", item(test)!, "not-mine", "x", 0)).meta.security[0].code).toBe("HIV");
  expect([placeOf("hiv"), placeOf("vitals")]).toEqual(["hiv", "care-plans"]);
});

test("who looked answers for the look", () => {
  const look = { id: "log/31", section: "labs", by: { kind: "member", number: 1, name: "Member 1", memberKind: "" } } as Access;
  const mine = row(complaint("c", look, "I was never there", 0), "t3");
  expect(asked([mine, answer("completed", "Task/t3", 0)], [look])).toMatchObject([{ kind: "access", about: "log/31", state: "sent" }]);
  expect(asked([mine, answer("completed", "Task/t3", 1)], [look])[0]!.state).toBe("corrected");
});
