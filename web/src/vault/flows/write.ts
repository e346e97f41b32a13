/** The patient's own resources: new ones, new versions of them, and their end. What another wrote stays theirs. */

import type { Final } from "../api.ts";
import { hex, random } from "../bytes.ts";
import { type Folded, fold } from "../chart/fold.ts";
import { scan } from "../chart/json.ts";
import { placeOf } from "../chart/types.ts";
import { fail } from "../failure.ts";
import { clinicalSections, type SectionName } from "../names.ts";
import { openRecords } from "./open.ts";
import { publish } from "./publish.ts";
import { versionsOf } from "./record.ts";
import type { Session } from "./session.ts";
import { logOf, syncLogs } from "./sync.ts";

/** Writes a resource. With the id of one of the patient's own it is its next version, in the section where that is. */
export async function write(s: Session, json: string, section?: SectionName): Promise<Final> {
  const src = json.trim();
  let said: { resourceType?: string; id?: string };
  try {
    scan(src);
    said = JSON.parse(src) as typeof said;
  } catch {
    return fail("invalid", "no resource");
  }
  const type = said.resourceType ?? "";
  const id = said.id ?? hex(random(16));
  const known = said.id === undefined ? undefined : await find(s, type, id);
  const where = known?.current.section ?? section ?? (placeOf(type) as SectionName);
  if (placeOf(type) === undefined || !clinicalSections.includes(where) || !/^[A-Za-z0-9.-]{1,64}$/.test(id))
    return fail("invalid", "no resource that goes into a section");
  if (known && section && section !== where) return fail("conflict", "the resource is in another section");
  return put(s, where, { type, id, json: src, supersedes: headsOf(known) });
}

/** Ends one of the patient's own resources. Its versions stay in the log. */
export async function remove(s: Session, key: string): Promise<Final> {
  const [type = "", id = ""] = key.split("/");
  const known = (await find(s, type, id)) ?? fail("not-shared", "there is no such resource");
  return put(s, known.current.section, { type, id, json: "", supersedes: headsOf(known) });
}

const headsOf = (f: Folded | undefined): number[] => f?.heads.map((v) => v.entry).sort((a, b) => a - b) ?? [];

async function put(s: Session, section: SectionName, item: Parameters<typeof publish>[2][number]): Promise<Final> {
  const final = await publish(s, section, [item]);
  await syncLogs(s, [section]);
  return final;
}

/** A resource as it is now, which is the patient's own, if there is one of that name. */
async function find(s: Session, type: string, id: string): Promise<Folded | undefined> {
  const { opened } = await openRecords(
    s,
    clinicalSections.map((x) => logOf(s, x)),
  );
  const found = fold(opened.flatMap(versionsOf)).find((f) => f.type === type && f.id === id);
  if (!found) return undefined;
  const { owner } = await s.patient.section(found.current.section);
  return found.current.authorKey === hex(owner.public) ? found : fail("conflict", "another wrote that resource, and alone may change it");
}
