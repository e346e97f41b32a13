/** What the patient takes along: the chart as a FHIR Bundle, and the whole log with receipts, which anybody checks offline with the genesis. */

import type { Activity, Chart } from "../api.ts";
import { base64 } from "../bytes.ts";
import type { Session } from "./session.ts";

/** Each resource's bytes as a reader answers them: the Bundle is put together as text, so that 0.0 stays 0.0. */
export function bundle(c: Chart): Blob {
  const entries = c.resources
    .filter((r) => r.current.json !== "")
    .map((r) => `{"fullUrl":${JSON.stringify(r.key)},"resource":${r.current.json}}`);
  const head = `{"resourceType":"Bundle","type":"collection","timestamp":${JSON.stringify(new Date(c.upTo).toISOString())},"entry":[`;
  return new Blob([`${head}${entries.join(",\n")}]}`], { type: "application/fhir+json" });
}

/** For each section the entries as they are hashed and a receipt of the last one, and beside them the rows in words. */
export async function signedLog(s: Session, genesis: string, a: Activity): Promise<Blob> {
  const logs = [];
  for (const l of s.logs.values()) {
    const [receipt, entries] = [await s.home.receipt(l.log, l.head.size - 1), await s.home.entries(l.log, 0, l.head.size)];
    logs.push({
      section: l.section,
      receipt: base64(receipt),
      entries: entries.map((e) => ({ block: e.block, entry: base64(e.encoded) })),
    });
  }
  const text = JSON.stringify({ format: "vitalog/v1/activity", genesis: JSON.parse(genesis) as unknown, logs, rows: a.rows }, null, 1);
  return new Blob([text], { type: "application/json" });
}
