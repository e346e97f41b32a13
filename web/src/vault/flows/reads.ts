/**
 * A proxy opens somebody else's chart (spec/proxy.md, Read). The order of effects is a member's: who and why, sealed to the patient, is durable before the access is
 * submitted; the receipt of the access comes before the members are asked; what they release stays in memory.
 *
 * Crash points: before the access nothing happened. After it a trace stands there, and nothing was read.
 */

import type { ReadChart, RefusedSection } from "../api.ts";
import { type Bytes, concat, equal, hex, random, unhex } from "../bytes.ts";
import type { Signer } from "../crypto/ed25519.ts";
import { type Decapsulator, decapsulatorOf } from "../crypto/xwing.ts";
import { fail, kindOf } from "../failure.ts";
import { noMember, sealDetail } from "../grant/detail.ts";
import { letterFor, type Message, openGrant } from "../grant/message.ts";
import { type ProxyKeys, proxyKeys } from "../grant/proxy.ts";
import { limits, line, lines, within } from "../grant/sealed.ts";
import { exchangeHash } from "../keys.ts";
import type { Accessed } from "../ledger/entry.ts";
import { entryHash } from "../ledger/entry.ts";
import type { Granted } from "../ledger/head.ts";
import { entryOf, type Operation } from "../ledger/operation.ts";
import { covers, type Range, readRight } from "../ledger/terms.ts";
import { type Reason, reasons } from "../names.ts";
import { blobOf } from "./blobs.ts";
import { type Reads, readNotes } from "./notes.ts";
import { openRecords, placeOfEntry, recordsOf } from "./open.ts";
import { chartOf } from "./record.ts";
import { release } from "./release.ts";
import type { Session } from "./session.ts";
import { stateOf } from "./sharing.ts";
import { signed } from "./submit.ts";
import { logOf, type Placed, type ProvenLog, proofOf, syncLogs } from "./sync.ts";

const [mostEntries, mostRanges, mostGap] = [1000, 64, 16];

/** Of a section: what this person's grants give. */
interface Shared {
  log: ProvenLog;
  signer: Signer;
  grants: Granted[]; // all to that key, ended ones too
  owner: Bytes;
  readers: Map<number, Decapsulator>;
}

/** One access: entries of one log under one grant. */
interface Plan {
  shared: Shared;
  grant: number;
  ended: boolean; // it is asked for to be refused
  ranges: Range[];
  records: Placed[];
  lacking: Placed[];
}

/** Opens what the patient of an invitation shares now. Each section that is refused is told, and stands on the ledger. */
export async function openFor(s: Session, id: string, reason: string): Promise<ReadChart> {
  const reads = (await readNotes(s)).reads.get(id) ?? fail("not-shared", "this person reads for nobody by that invitation");
  within(lines(reason), limits.reason);
  const x = otherOf(s, reads);
  const keys = await proxyKeys(s.patient, unhex(id, 16));
  await syncLogs(
    x,
    reads.given.map((g) => g.section),
  );
  const plans: Plan[] = [];
  for (const { section } of reads.given) plans.push(...planned(x, await sharedOf(x, keys, logOf(x, section))));
  const { allowed, refused } = await ask(x, reads, lines(reason), plans);
  const now = new Set(allowed.flatMap((p) => p.records.map(placeOfEntry)));
  for (const place of x.opened.keys()) if (!now.has(place)) x.opened.delete(place); // what ended meanwhile
  const logs = [...new Set(allowed.map((p) => p.shared.log))];
  const found = await openRecords(x, logs, (e) => now.has(placeOfEntry(e)));
  x.reads?.secrets.clear();
  return {
    ...chartOf(
      x,
      { names: new Map(), answers: new Map(), reads: new Map(), claim: null, paired: [], reviewed: new Set(), unread: 0 },
      found,
    ),
    refused,
  };
}

/** Drops what is open of it. */
export const leave = (s: Session, id: string): void => void s.others.delete(id);

function otherOf(s: Session, r: Reads): Session {
  const known = s.others.get(r.id);
  if (known) return known;
  const logs = new Map(r.given.map((g) => [g.section, g.log] as const));
  const fresh = { logs: new Map(), syncing: Promise.resolve(), notes: null, unlocked: new Map(), others: new Map(), opened: new Map() };
  const x: Session = { ...s, ...fresh, reads: { logs, secrets: new Map() } };
  s.others.set(r.id, x);
  return x;
}

/** Takes owner key and seeds from the messages to this person's key of the log. What doesn't open gives nothing. */
async function sharedOf(s: Session, keys: ProxyKeys, log: ProvenLog): Promise<Shared> {
  const signer = await keys.grantee(log.section);
  const grants = log.head.grants.filter((g) => equal(g.terms.key, signer.public) && (g.terms.rights & readRight) !== 0);
  const first = grants[0]?.entry ?? fail("altered", "a log without a grant to this person");
  const messages: Message[] = [];
  for (const e of log.entries.slice(first)) {
    const sealed = await letterOf(s, e, signer.public);
    if (!sealed) continue;
    try {
      messages.push(await openGrant(keys.exchange, s.genesis.network, log.log, signer.public, sealed));
    } catch (e) {
      if (kindOf(e) !== "altered") throw e;
    }
  }
  const readers = new Map<number, Decapsulator>();
  for (const m of messages) for (const [epoch, seed] of m.seeds) if (!readers.has(epoch)) readers.set(epoch, await decapsulatorOf(seed));
  return { log, signer, grants, owner: messages.at(-1)?.owner ?? fail("altered", "no message of a grant opens"), readers };
}

async function letterOf(s: Session, { says }: Placed, key: Bytes): Promise<Bytes | undefined> {
  if (says.kind === "grant" && equal(says.terms.key, key)) return blobOf(s, says.message);
  if (says.kind === "rotate" && says.mailbox.some((x) => x !== 0)) return letterFor(await blobOf(s, says.mailbox), key);
  return undefined;
}

/** The accesses that ask for all that is shared, or, where nothing is any more, for what was there, so that the refusal is on the ledger. */
function planned(s: Session, shared: Shared): Plan[] {
  const { log, grants } = shared;
  const { head } = log;
  const inForce = grants.filter((g) => stateOf(head, g, s.home.now()) === "in-force");
  let left = recordsOf(log).filter((e) => !covers(head.erased, e.number));
  if (inForce.length === 0) {
    const [one] = cut(left, () => true);
    return [{ shared, grant: grants.at(-1)!.entry, ranges: one?.ranges ?? [{ from: 0n, to: 1n }], records: [], lacking: [], ended: true }];
  }
  return inForce.flatMap((g) => {
    const mine = left.filter((e) => covers(g.terms.ranges, e.number));
    left = left.filter((e) => !mine.includes(e));
    return cut(mine, (n) => covers(g.terms.ranges, n) && !covers(head.erased, n)).map(({ ranges, records }) => ({
      shared,
      grant: g.entry,
      ranges,
      records,
      ended: false,
      lacking: records.filter((e) => !s.opened.has(placeOfEntry(e))),
    }));
  });
}

/** Records as ranges of entries, of what one access may name. A range goes on over a few entries that are none, where that is allowed. */
function cut(records: Placed[], may: (entry: number) => boolean): { ranges: Range[]; records: Placed[] }[] {
  const out: { ranges: Range[]; records: Placed[]; named: number }[] = [];
  for (const e of records) {
    const x = out.at(-1);
    const last = x?.ranges.at(-1);
    const gap = last ? e.number - Number(last.to) : 0;
    const joins = last && gap <= mostGap && Array.from({ length: gap }, (_, i) => Number(last.to) + i).every(may);
    const more = joins ? gap + 1 : 1;
    if (!x || !last || x.named + more > mostEntries || (!joins && x.ranges.length === mostRanges)) {
      out.push({ ranges: [{ from: BigInt(e.number), to: BigInt(e.number) + 1n }], records: [e], named: 1 });
      continue;
    }
    if (joins) last.to = BigInt(e.number) + 1n;
    else x.ranges.push({ from: BigInt(e.number), to: BigInt(e.number) + 1n });
    x.records.push(e);
    x.named += more;
  }
  return out;
}

interface Asked {
  plan: Plan;
  op: Operation;
  session: Decapsulator | null; // null: a further use
  detail: Bytes;
}

/** Puts the accesses on the ledger, waits for their receipts, and has what is lacking released. */
async function ask(s: Session, r: Reads, reason: string, plans: Plan[]): Promise<{ allowed: Plan[]; refused: RefusedSection[] }> {
  const asked: Asked[] = [];
  for (const plan of plans) asked.push(await access(s, r, reason, plan));
  if (asked.length === 0) return { allowed: [], refused: [] };
  const results = await s.home.submit(asked.map((a) => a.op));
  const allowed: Plan[] = [];
  const refused: RefusedSection[] = [];
  for (const [i, a] of asked.entries()) {
    const { section, head, log } = a.plan.shared.log;
    const result = results[i]!;
    if (result.code !== "ok") return fail("refused", result.code);
    const entry = result.count > 0 ? await placed(s, a.op, result.first) : null;
    const why = entry?.says.why ?? counted(s, a.plan, head);
    if (!entry || why !== "allowed") {
      refused.push({ section, why });
      continue;
    }
    if (a.session && a.plan.lacking.length > 0) {
      const asking = { log, entry: result.first, hash: entry.hash, session: a.session, detail: a.detail };
      if (!(await release(s, asking, a.plan.lacking, a.plan.shared.readers))) {
        refused.push({ section, why: "revoked" }); // it ended between access and release
        continue;
      }
    }
    allowed.push(a.plan);
  }
  return { allowed, refused };
}

/** What the ledger says of refusals that it only counts, because there were many. */
function counted(s: Session, p: Plan, head: ProvenLog["head"]): Reason {
  const states = p.shared.grants.map((g) => stateOf(head, g, s.home.now()));
  const why = states.find((x) => x !== "in-force");
  return why ?? "no-right";
}

async function access(s: Session, r: Reads, reason: string, plan: Plan): Promise<Asked> {
  const { log, signer, owner } = plan.shared;
  const further = !plan.ended && plan.lacking.length === 0;
  const session = further ? null : await decapsulatorOf(random(32));
  const use = { log: log.log, session: session ? exchangeHash(session.public) : random(32), grantee: signer.public };
  const said = {
    practitioner: r.id,
    name: line(r.name),
    role: "",
    member: noMember,
    organisation: "",
    purpose: r.purpose,
    reason,
    request: hex(new Uint8Array(16)),
    machine: false,
  };
  const detail = await sealDetail(owner, signer, s.genesis.network, use, said);
  const hash = await s.home.putBlob(detail);
  const body = { kind: "access", grant: plan.grant, further, ranges: plan.ranges, session: use.session, detail: hash } as const;
  return { plan, op: await signed(s, signer, log.log, { ...body, ranges: [...body.ranges] }), session, detail };
}

/** The access as it stands on the ledger: what was signed, and the decision. */
async function placed(s: Session, o: Operation, first: number): Promise<{ says: Accessed; hash: Bytes }> {
  const { entry, encoded } = await proofOf(s, o.log, first);
  const says = entry.says.kind === "access" ? entry.says : fail("altered", `entry ${first} is no access`);
  if (!equal(encoded, concat(entryOf(o, entry.at), new Uint8Array([reasons.indexOf(says.why)]))))
    return fail("altered", `entry ${first} is not what was signed`);
  return { says, hash: entryHash(o.log, first, encoded) };
}
