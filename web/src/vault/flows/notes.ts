/**
 * What the patient writes down about keys, in the index section: who is behind them, and which requests were answered. It travels as a FHIR Basic
 * resource with JSON inside, so that the 24 words bring it back.
 */

import type { Final } from "../api.ts";
import { type Bytes, base64, concat, hex, random, text, unbase64, unhex, utf8 } from "../bytes.ts";
import type { NewItem } from "../chart/content.ts";
import type { Claim } from "../claimed.ts";
import { fail } from "../failure.ts";
import { checkIntroduction, decodeIntroduction, encodeIntroduction, type Introduction } from "../grant/introduction.ts";
import { clinicalSections, type SectionName, sectionName, sectionNumber } from "../names.ts";
import { openRecords } from "./open.ts";
import { publish } from "./publish.ts";
import type { Session } from "./session.ts";
import { logOf } from "./sync.ts";

/** The patient's own word that a request was answered, and the post that tells the asker. */
export interface Answered {
  request: string; // hex
  granted: boolean;
  message: Bytes; // hash of the sealed answer
  size: number;
}

/** A person who reads for the patient, and with which keys (spec/proxy.md). */
export interface Proxy {
  id: string; // of the invitation, hex
  name: string;
  patient: string; // the patient's own name, as the proxy is told it
  purpose: string;
  exchange: Bytes;
}

/** A chart that this person reads for another. */
export interface Reads {
  id: string; // of the invitation, hex
  name: string; // this person's own, as the invitation said
  patient: string;
  purpose: string;
  given: { section: SectionName; log: Bytes; entry: number }[];
}

export interface Note {
  label?: string;
  introductions?: Introduction[];
  proxy?: Proxy & { keys: { section: SectionName; key: Bytes }[] };
  reads?: Reads;
  answer?: Answered;
  claim?: Claim;
  paired?: boolean; // another device gets the keys
  reviewed?: string[]; // accesses that the patient looked at and found right, by log/entry
  link?: LinkNote;
  records?: Map<string, Bytes>; // what opens records that have no owner lock, by record, hex
}

/** A health link that the patient made, with all that the code is made of. */
export interface LinkNote {
  key: Bytes; // that the grant names
  member: number; // which keeps the file
  url: string;
  secret: Bytes; // which decrypts it
  passcode: string;
  sections: SectionName[];
  resources: string[]; // type/id of what is in it
}

/** Who is behind a key. */
export interface Named {
  member: number; // -1: a device or a proxy
  purpose: string;
  label: string;
  device: string;
  proxy?: Proxy;
  link?: LinkNote & { entry: number }; // of the note
}

export interface Notes {
  names: Map<string, Named>; // by key, hex
  answers: Map<string, Answered>; // by request
  reads: Map<string, Reads>; // by invitation; the newest answer to it
  claim: Claim | null;
  paired: number[]; // when other devices got the keys
  reviewed: Set<string>; // accesses, by log/entry
  unread: number; // notes that don't open: keys may lack a name for it
}

const system = "urn:vitalog:index";
const url = "urn:vitalog:index:note";

export async function writeNote(s: Session, n: Note, also: NewItem[] = []): Promise<Final> {
  const epochs = [...(n.claim?.epochs ?? [])].map(([section, epoch]) => [sectionNumber(section), epoch] as const);
  const inner = {
    ...(n.label ? { label: n.label } : {}),
    ...(n.introductions?.length ? { introductions: n.introductions.map((i) => base64(encodeIntroduction(i))) } : {}),
    ...(n.proxy ? proxyNote(n.proxy) : {}),
    ...(n.reads ? { reads: { ...n.reads, given: n.reads.given.map((g) => [sectionNumber(g.section), hex(g.log), g.entry]) } } : {}),
    ...(n.answer ? { answer: { ...n.answer, request: [...unhex(n.answer.request, 16)], message: hex(n.answer.message) } } : {}),
    ...(n.reviewed?.length ? { reviewed: n.reviewed } : {}),
    ...(n.paired ? { paired: true } : {}),
    ...(n.claim ? { claim: { root: base64(n.claim.root), epochs: Object.fromEntries(epochs) } } : {}),
    ...(n.link
      ? {
          link: {
            ...n.link,
            key: `vk:${hex(n.link.key)}`,
            secret: base64(n.link.secret),
            sections: n.link.sections.map(sectionNumber),
          },
        }
      : {}),
    ...(n.records ? { records: base64(concat(...[...n.records].flatMap(([record, secret]) => [unhex(record, 32), secret]))) } : {}),
  };
  const id = hex(random(16));
  const extension = [{ url, valueBase64Binary: base64(utf8(JSON.stringify(inner))) }];
  const json = JSON.stringify({ resourceType: "Basic", id, extension, code: { coding: [{ system, code: "grantee" }] } });
  return publish(s, "index", [{ type: "Basic", id, json, supersedes: [] }, ...also]);
}

function proxyNote({ keys, ...p }: NonNullable<Note["proxy"]>): Pick<Inner, "proxy" | "keys"> {
  return {
    proxy: { ...p, exchange: base64(p.exchange) },
    keys: keys.map((k) => ({ section: sectionNumber(k.section), key: `vk:${hex(k.key)}` })),
  };
}

/** Reads all notes. One that doesn't open is counted: it must not keep the patient from seeing and stopping the others. */
export async function readNotes(s: Session): Promise<Notes> {
  const index = logOf(s, "index");
  if (s.notes?.size === index.head.size) return s.notes.notes;
  const { opened, unopened } = await openRecords(s, [index]);
  const out: Notes = {
    names: new Map(),
    answers: new Map(),
    reads: new Map(),
    claim: null,
    paired: [],
    reviewed: new Set(),
    unread: unopened.length,
  };
  for (const o of opened)
    for (const item of o.content.items) {
      try {
        for (const raw of notesIn(item.json)) await take(s, out, raw, o.entry);
      } catch {
        out.unread++;
      }
    }
  if (out.unread === 0) s.notes = { size: index.head.size, notes: out };
  return out;
}

function notesIn(json: string): unknown[] {
  const b = JSON.parse(json) as { extension?: { url?: string; valueBase64Binary?: string }[] };
  return (b.extension ?? [])
    .filter((x) => x.url === url && typeof x.valueBase64Binary === "string")
    .map((x) => JSON.parse(text(unbase64(x.valueBase64Binary!))) as unknown);
}

interface Inner {
  label?: string;
  introductions?: string[];
  device?: string;
  keys?: { section: number; key: string }[];
  proxy?: Omit<Proxy, "exchange"> & { exchange: string };
  reads?: Omit<Reads, "given"> & { given: [number, string, number][] };
  answer?: { request: number[]; granted: boolean; message: string; size: number };
  paired?: boolean;
  reviewed?: string[];
  claim?: { root: string; epochs: Record<string, number> };
  link?: { key: string; member: number; url: string; secret: string; passcode: string; sections: number[]; resources: string[] };
  records?: string;
}

async function take(s: Session, out: Notes, raw: unknown, from: { number: number; at: number }): Promise<void> {
  const n = raw as Inner;
  const label = n.label ?? "";
  const proxy = n.proxy && { ...n.proxy, exchange: unbase64(n.proxy.exchange) };
  const behind = { member: -1, purpose: proxy?.purpose ?? "", label, device: n.device ?? "", ...(proxy ? { proxy } : {}) };
  for (const k of n.keys ?? []) out.names.set(hex(unhex(k.key, 32, "vk:")), behind);
  if (n.reads) {
    const given = n.reads.given.map(([number, log, entry]) => ({
      section: sectionName(number) ?? fail("altered", `section ${number} is not known`),
      log: unhex(log, 32),
      entry,
    }));
    out.reads.set(n.reads.id, { ...n.reads, given });
  }
  for (const b of n.introductions ?? []) {
    const i = decodeIntroduction(unbase64(b));
    await checkIntroduction(i, s.genesis);
    out.names.set(hex(i.grantee), { member: i.member, purpose: i.purpose, label, device: "" });
  }
  if (n.answer) {
    const request = hex(Uint8Array.from(n.answer.request));
    out.answers.set(request, { request, granted: n.answer.granted === true, message: unhex(n.answer.message, 32), size: n.answer.size });
  }
  for (const id of n.reviewed ?? []) out.reviewed.add(id);
  if (n.paired) out.paired.push(from.at);
  if (n.link) {
    const key = unhex(n.link.key, 32, "vk:");
    const link = {
      ...n.link,
      key,
      secret: unbase64(n.link.secret),
      sections: n.link.sections.flatMap((x) => sectionName(x) ?? []),
      entry: from.number,
    };
    out.names.set(hex(key), { member: -1, purpose: "PATRQT", label, device: "", link });
  }
  if (n.claim) out.claim = claimIn(n.claim);
  if (n.records !== undefined) {
    const b = unbase64(n.records);
    if (b.length % 64 !== 0) fail("altered", "a list of records that breaks off");
    for (let at = 0; at < b.length; at += 64) s.unlocked.set(hex(b.slice(at, at + 32)), b.slice(at + 32, at + 64));
  }
}

function claimIn(c: NonNullable<Inner["claim"]>): Claim {
  const root = unbase64(c.root);
  const epochs = new Map(clinicalSections.map((s) => [s, c.epochs[sectionNumber(s)] ?? 0]));
  return root.length === 32 && [...epochs.values()].every((e) => Number.isInteger(e) && e > 0)
    ? { root, epochs }
    : fail("altered", "a note about a claim that does not read");
}
