/**
 * Grants: what is shared with whom, giving and stopping. The patient's own note of who is behind the keys is on the ledger before the first grant is, so
 * that no grant is ever without a name.
 */

import type { Final, Grant, GrantState, Share } from "../api.ts";
import { type Bytes, equal, hex } from "../bytes.ts";
import { fail } from "../failure.ts";
import { checkIntroduction, decodeIntroduction, type Introduction } from "../grant/introduction.ts";
import { encodeMailbox, sealGrant } from "../grant/message.ts";
import { bySection, limits, line, within } from "../grant/sealed.ts";
import { exchangeHash } from "../keys.ts";
import type { Granted, Head } from "../ledger/head.ts";
import type { Operation } from "../ledger/operation.ts";
import { covers, forever, readRight, type Terms } from "../ledger/terms.ts";
import { purposes, rights, type SectionName, sections } from "../names.ts";
import { times } from "../wire.ts";
import { usesOf } from "./activity.ts";
import { type Named, type Note, type Notes, readNotes, writeNote } from "./notes.ts";
import { recordsOf } from "./open.ts";
import { partyOf } from "./party.ts";
import type { Session } from "./session.ts";
import { place, signed, submit } from "./submit.ts";
import { type ProvenLog, proofOf, syncLogs } from "./sync.ts";

const none = new Uint8Array(32) as Bytes;

export async function grants(s: Session): Promise<Grant[]> {
  const notes = await readNotes(s);
  return [...s.logs.values()]
    .sort((a, b) => bySection(a.section, b.section))
    .flatMap((l) => l.head.grants.map((g) => shown(s, notes, l, g)));
}

function shown(s: Session, notes: Notes, l: ProvenLog, g: Granted): Grant {
  const { terms } = g;
  const [entry, named, uses] = [l.entries[g.entry]!, notes.names.get(hex(terms.key)), usesOf(l, g.entry)];
  const names = { write: "write", read: "read", post: "post", subGrant: "sub-grant", actFor: "act-for" } as const;
  return {
    id: `${l.section}/${g.entry}`,
    to: partyOf(s.genesis, notes, l.head.owners[0]!, terms.key),
    section: l.section,
    entry: g.entry,
    block: entry.block,
    at: entry.at,
    purpose: named?.purpose ?? "",
    label: named?.label ?? "",
    rights: (Object.keys(names) as (keyof typeof names)[]).filter((n) => terms.rights & rights[n]).map((n) => names[n]),
    everything: terms.ranges.length === 1 && terms.ranges[0]!.from === 0n && terms.ranges[0]!.to === forever,
    ranges: terms.ranges.map((r) => ({ from: Number(r.from), to: Number(r.to) })),
    records: recordsOf(l).filter((e) => covers(terms.ranges, e.number) && !covers(l.head.erased, e.number)).length,
    from: Number(terms.from),
    until: Number(terms.until),
    uses: terms.uses,
    used: g.used,
    opened: uses.length,
    lastOpened: uses.at(-1)?.at ?? 0,
    state: stateOf(l.head, g, Date.now()),
  };
}

/** What messages about a grant to somebody are sealed to; undefined for a device, which gets none. */
export const exchangeOf = (s: Session, n: Named | undefined): Bytes | undefined =>
  n?.proxy?.exchange ?? (n && s.genesis.members[n.member]?.exchange);

export function stateOf(head: Head, g: Granted, now: number): GrantState {
  if (g.revoked) return "revoked";
  if (g.terms.from > BigInt(now)) return "not-yet";
  if (g.terms.until !== 0n && g.terms.until <= BigInt(now)) return "expired";
  if (g.terms.uses !== 0 && g.used >= g.terms.uses) return "used-up";
  const parent = head.grants.find((p) => g.terms.parent !== 0n && BigInt(p.entry) === g.terms.parent);
  if (g.terms.parent !== 0n && (!parent || stateOf(head, parent, now) !== "in-force")) return "parent-ended";
  return "in-force";
}

export interface Given {
  section: SectionName;
  log: Bytes;
  entry: number;
}

/** Gives an organisation keys to sections. Returns the grants, which are final. */
export async function share(s: Session, x: Share): Promise<{ final: Final; given: Given[] }> {
  const to = s.genesis.members[x.member];
  const wanted = [...new Set(x.sections)].sort(bySection);
  if (!to || wanted.length === 0 || x.rights.length === 0 || !purposes.some((p) => p === x.purpose))
    return fail("invalid", "a share without its parts");
  if (x.until && x.until <= Math.max(Date.now(), x.from ?? 0)) return fail("invalid", "a share that ends before it begins");
  const label = within(line(x.label ?? ""), limits.label);
  const introductions = new Map<SectionName, Introduction>();
  for (const section of wanted)
    introductions.set(section, await introduced(s, x.member, x.purpose, (await s.patient.section(section)).log));
  const grantee = (section: SectionName): Bytes => introductions.get(section)!.grantee;
  return give(s, { ...x, sections: wanted, label }, to.exchange, grantee, { label, introductions: [...introductions.values()] });
}

/** Gives grants to keys: the note of who is behind them is there first. */
export async function give(
  s: Session,
  x: Omit<Share, "member">,
  to: Bytes,
  grantee: (s: SectionName) => Bytes,
  note: Note,
): Promise<{ final: Final; given: Given[] }> {
  const { sections: wanted, purpose, label = "" } = x;
  const ops: Operation[] = [];
  for (const section of wanted) {
    const k = await s.patient.section(section);
    const reads = x.rights.includes("read");
    const terms: Terms = {
      key: grantee(section),
      rights: x.rights.reduce((n, r) => n | rights[r], 0),
      ranges: reads ? [{ from: 0n, to: forever }] : [],
      from: BigInt(x.from ?? 0),
      until: BigInt(x.until ?? 0),
      uses: x.uses ?? 0,
      parent: 0n,
    };
    const epochs = reads ? times((await proofOf(s, k.log, 0)).head.epoch, (e) => e + 1) : [];
    const message = await s.home.putBlob(await sealGrant(s.patient, k, to, { purpose, label, terms, epochs }));
    ops.push(await signed(s, k.owner, k.log, { kind: "grant", terms, message }));
  }
  await writeNote(s, note);
  const results = await submit(s, ops);
  const final = await place(s, ops, results);
  await syncLogs(s, [...wanted, "index"]);
  return { final, given: wanted.map((section, i) => ({ section, log: ops[i]!.log, entry: results[i]!.first })) };
}

/** The key that a member has for a log, in the member's word. */
async function introduced(s: Session, member: number, purpose: string, log: Bytes): Promise<Introduction> {
  const i = decodeIntroduction(await s.home.introduce(member, log, purpose));
  await checkIntroduction(i, s.genesis);
  if (!equal(i.log, log) || i.purpose !== purpose || i.member !== member)
    return fail("altered", "an introduction for another log, purpose or member");
  return i;
}

/** Ends grants: at once, because members stop releasing, and for new records because a new reader key begins. */
export async function stop(s: Session, which: (g: Grant) => boolean): Promise<Final> {
  await syncLogs(s);
  const ended = (await grants(s)).filter((g) => g.state !== "revoked" && which(g));
  if (ended.length === 0) return fail("conflict", "nothing is shared that is to be stopped");
  const ops: Operation[] = [];
  for (const g of ended) {
    const k = await s.patient.section(g.section);
    ops.push(await signed(s, k.owner, k.log, { kind: "revoke", grant: g.entry }));
  }
  const final = await place(s, ops, await submit(s, ops));
  // A crash here leaves the old epoch: nothing is released under the ended grants; the new epoch follows with the next rotation.
  const rotated = sections.filter((x) => ended.some((g) => g.section === x && g.rights.includes("read") && g.to.kind !== "link"));
  await syncLogs(s);
  const rotation = await rotate(s, rotated);
  return rotation && rotation.block > final.block ? rotation : final;
}

/** Begins a new epoch in the sections, and leaves a letter for everybody who remains with one of the rights: with the epoch's seed for a reader. */
export async function rotate(s: Session, which: SectionName[], told = readRight): Promise<Final | null> {
  const notes = await readNotes(s);
  const ops: Operation[] = [];
  for (const section of which) {
    const k = await s.patient.section(section);
    const { head } = await proofOf(s, k.log, 0);
    const epoch = head.epoch + 1;
    const letters: { key: Bytes; sealed: Bytes }[] = [];
    for (const g of head.grants) {
      const n = notes.names.get(hex(g.terms.key));
      const to = exchangeOf(s, n);
      if (!n || !to || g.revoked || (g.terms.rights & told) === 0 || letters.some((l) => equal(l.key, g.terms.key))) continue;
      const reads = (x: Granted): boolean => !x.revoked && (x.terms.rights & readRight) !== 0;
      const reader = head.grants.some((x) => equal(x.terms.key, g.terms.key) && reads(x));
      if (reader && !reads(g)) continue; // the letter for another grant to the key has the seed
      const epochs = reader ? [epoch] : [];
      const sealed = await sealGrant(s.patient, k, to, { purpose: n.purpose, label: n.label, terms: g.terms, epochs });
      letters.push({ key: g.terms.key, sealed });
    }
    const mailbox = letters.length > 0 ? await s.home.putBlob(encodeMailbox(letters)) : none;
    const reader = await k.readerPublic(epoch);
    await s.home.putBlob(reader);
    ops.push(await signed(s, k.owner, k.log, { kind: "rotate", epoch, epochKey: exchangeHash(reader), mailbox }));
  }
  if (ops.length === 0) return null;
  const final = await place(s, ops, await submit(s, ops));
  await syncLogs(s, which);
  return final;
}
