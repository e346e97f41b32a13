/** What the patient takes along: the chart as a FHIR Bundle, and the accesses with receipts, which anybody checks offline with the genesis. */

import type { Access, Activity, Resource } from "../api.ts";
import { base64, hex } from "../bytes.ts";
import { each, type Session } from "./session.ts";
import { logOf, receiptOf } from "./sync.ts";

const atOnce = 6;

/** Each resource's bytes as a reader answers them: the Bundle is put together as text, so that 0.0 stays 0.0. */
export function bundle(resources: Resource[], upTo: number): string {
  const entries = resources.filter((r) => r.current.json !== "").map((r) => `{"resource":${r.current.json}}`);
  const head = `{"resourceType":"Bundle","type":"collection","timestamp":${JSON.stringify(new Date(upTo).toISOString())},"entry":[`;
  return `${head}${entries.join(",\n")}]}`;
}

/** The lines of `vitalog audit export` (spec/cli.md), which `vitalog verify receipt` holds against the genesis: a row for each access, and how many there are. */
export async function signedLog(s: Session, a: Activity): Promise<Blob> {
  const lines: string[] = [];
  await each([...a.rows.entries()], atOnce, async ([i, row]) => {
    const { encoded } = await receiptOf(s, logOf(s, row.section).log, row.entry);
    lines[i] = JSON.stringify({ ...line(s, row), receipt: base64(encoded) });
  });
  const proof = { network: `net:${hex(s.genesis.network)}`, rows: a.rows.length, proven: a.proven, signed: a.signed, of: a.of };
  lines.push(JSON.stringify({ schema: "vitalog.audit-proof/v1", ...proof }));
  return new Blob([`${lines.join("\n")}\n`], { type: "application/jsonl" });
}

function line(s: Session, r: Access): object {
  const log = logOf(s, r.section);
  const counted = log.entries[r.entry]!.says.kind === "refusals";
  const opened = r.outcome === "allowed" && !counted;
  const said = { name: r.person, practitioner: r.practitioner, role: r.role, purpose: r.purpose, reason: r.reason };
  return {
    schema: "vitalog.audit/v1",
    at: new Date(r.at).toISOString(),
    block: r.block,
    result: opened ? "opened" : "refused",
    ...(opened ? {} : { why: r.outcome }),
    ...Object.fromEntries(Object.entries(said).filter(([, v]) => v !== "")),
    ...(r.machine ? { machine: true } : {}),
    organisation: r.by.kind === "member" ? r.by.name : "",
    ...(r.by.kind === "link" ? { link: true } : {}),
    ...(r.by.kind === "device" ? { device: r.by.name } : {}),
    section: r.section,
    records: r.records,
    ...(r.further ? { further: true } : {}),
    ...(counted ? { count: r.count } : {}),
    log: `log:${hex(log.log)}`,
    entry: r.entry,
  };
}
