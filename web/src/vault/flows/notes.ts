/**
 * What the patient writes down about keys, in the index section: who is behind them, and which requests were answered. It travels as a FHIR Basic
 * resource with JSON inside, so that the 24 words bring it back.
 */

import { type Bytes, base64, hex, random, text, unbase64, unhex, utf8 } from "../bytes.ts";
import { checkIntroduction, decodeIntroduction, encodeIntroduction, type Introduction } from "../grant/introduction.ts";
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

export interface Note {
  label?: string;
  introductions?: Introduction[];
  answer?: Answered;
}

/** Who is behind a key. */
export interface Named {
  member: number; // -1: a device
  purpose: string;
  label: string;
  device: string;
}

export interface Notes {
  names: Map<string, Named>; // by key, hex
  answers: Map<string, Answered>; // by request
  unread: number; // notes that don't open: keys may lack a name for it
}

const system = "urn:vitalog:index";
const url = "urn:vitalog:index:note";

export async function writeNote(s: Session, n: Note): Promise<void> {
  const inner = {
    ...(n.label ? { label: n.label } : {}),
    ...(n.introductions?.length ? { introductions: n.introductions.map((i) => base64(encodeIntroduction(i))) } : {}),
    ...(n.answer ? { answer: { ...n.answer, request: [...unhex(n.answer.request, 16)], message: hex(n.answer.message) } } : {}),
  };
  const id = hex(random(16));
  const extension = [{ url, valueBase64Binary: base64(utf8(JSON.stringify(inner))) }];
  const json = JSON.stringify({ resourceType: "Basic", id, extension, code: { coding: [{ system, code: "grantee" }] } });
  await publish(s, "index", [{ type: "Basic", id, json, supersedes: [] }]);
}

/** Reads all notes. One that doesn't open is counted: it must not keep the patient from seeing and stopping the others. */
export async function readNotes(s: Session): Promise<Notes> {
  const index = logOf(s, "index");
  if (s.notes?.size === index.head.size) return s.notes.notes;
  const { opened, unopened } = await openRecords(s, [index]);
  const out: Notes = { names: new Map(), answers: new Map(), unread: unopened.length };
  for (const o of opened)
    for (const item of o.content.items) {
      try {
        for (const raw of notesIn(item.json)) await take(s, out, raw);
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
  answer?: { request: number[]; granted: boolean; message: string; size: number };
}

async function take(s: Session, out: Notes, raw: unknown): Promise<void> {
  const n = raw as Inner;
  const label = n.label ?? "";
  for (const k of n.keys ?? []) out.names.set(hex(unhex(k.key, 32, "vk:")), { member: -1, purpose: "", label, device: n.device ?? "" });
  for (const b of n.introductions ?? []) {
    const i = decodeIntroduction(unbase64(b));
    await checkIntroduction(i, s.genesis);
    out.names.set(hex(i.grantee), { member: i.member, purpose: i.purpose, label, device: "" });
  }
  if (n.answer) {
    const request = hex(Uint8Array.from(n.answer.request));
    out.answers.set(request, { request, granted: n.answer.granted === true, message: unhex(n.answer.message, 32), size: n.answer.size });
  }
}
