/**
 * An export of Apple Health into the patient's own section, on this device. The file is read once to count the days, and once more for each window of whole
 * days of at most 20,000 readings. A reading has its id from its text: what the record has already is not written again.
 */

import type { Imported } from "../api.ts";
import { utf8 as bytesOf, hex } from "../bytes.ts";
import type { NewItem } from "../chart/content.ts";
import { fail } from "../failure.ts";
import { apple } from "../wearable/apple.ts";
import { dayOf, observation, type Reading } from "../wearable/observation.ts";
import { sum } from "../wire.ts";
import { openRecords } from "./open.ts";
import { publishAll } from "./publish.ts";
import type { Session } from "./session.ts";
import { logOf, syncLogs } from "./sync.ts";

const section = "patient-generated";
const atMost = { window: 20_000, records: 16, readings: 4_000 };

/** The text of a file in pieces, decoded as it comes. */
async function* pieces(file: Blob, told: (done: number) => void): AsyncGenerator<string> {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const decode = (b?: Uint8Array): string => {
    try {
      return b ? utf8.decode(b, { stream: true }) : utf8.decode();
    } catch {
      return fail("invalid", "export: it is no UTF-8");
    }
  };
  const reader = file.stream().getReader();
  let done = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    yield decode(next.value);
    done += next.value.length;
    told(done);
  }
  yield decode();
}

export async function importReadings(s: Session, o: { file: Blob; since: string }): Promise<Imported> {
  const all = (told: (done: number) => void) => apple(pieces(o.file, told));
  const counts = new Map<string, number>();
  const out: Imported = { written: 0, known: 0, left: 0, block: 0 };
  for await (const r of all((done) => s.progress({ step: "reading", done, of: o.file.size }))) {
    if (!r) out.left++;
    else if (dayOf(r) >= o.since) counts.set(dayOf(r), (counts.get(dayOf(r)) ?? 0) + 1);
  }
  await syncLogs(s, [section]);
  const { opened } = await openRecords(s, [logOf(s, section)]);
  const known = new Set(opened.flatMap((r) => r.content.items.map((x) => x.id)));
  let begun = 0;
  const of = [...counts.values()].reduce((a, b) => a + b, 0);
  for (const days of windows(counts)) {
    const byDay = new Map<string, Map<string, NewItem>>();
    for await (const r of all(() => undefined)) if (r && days.has(dayOf(r))) take(s, out, known, byDay, r, await logId(s));
    for (const part of records(byDay)) {
      s.progress({ step: "importing", done: begun, of });
      const final = await publishAll(s, section, part);
      out.block = final.block;
      const n = part.reduce((a, items) => a + items.length, 0);
      out.written += n;
      begun += n;
    }
  }
  await syncLogs(s, [section]);
  return out;
}

const logId = async (s: Session) => (await s.patient.section(section)).log;

function take(
  s: Session,
  out: Imported,
  known: Set<string>,
  byDay: Map<string, Map<string, NewItem>>,
  r: Reading,
  log: Uint8Array<ArrayBuffer>,
) {
  const json = observation(r);
  const id = hex(sum("vitalog/v1/portal/reading", s.genesis.network, log, bytesOf(json))).slice(0, 32);
  const day = byDay.get(dayOf(r)) ?? new Map<string, NewItem>();
  byDay.set(dayOf(r), day);
  if (known.has(id) || day.has(id)) out.known++;
  else day.set(id, { type: "Observation", id, json, supersedes: [] });
}

/** Whole days of at most so many readings together; a day that has more is a window of its own. */
function* windows(counts: Map<string, number>): Generator<Set<string>> {
  let [days, n] = [new Set<string>(), 0];
  for (const [day, c] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (days.size > 0 && n + c > atMost.window) {
      yield days;
      [days, n] = [new Set(), 0];
    }
    days.add(day);
    n += c;
  }
  if (days.size > 0) yield days;
}

/** A record for each day, and for each 4,000 readings of a very long one; some records go to the ledger at once. */
function* records(byDay: Map<string, Map<string, NewItem>>): Generator<NewItem[][]> {
  const all: NewItem[][] = [];
  for (const day of [...byDay.keys()].sort()) {
    const items = [...byDay.get(day)!.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (let i = 0; i < items.length; i += atMost.readings) all.push(items.slice(i, i + atMost.readings));
  }
  for (let i = 0; i < all.length; i += atMost.records) yield all.slice(i, i + atMost.records);
}
