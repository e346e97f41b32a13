/**
 * FHIR JSON, byte for byte: what is rewritten on the way out is spliced into the text, so that 0.0 stays 0.0. The reading is that of RFC 7493, nested at
 * most 64 deep, without null outside arrays.
 */

import { fail } from "../failure.ts";

interface Span {
  from: number;
  to: number;
}

/** Where the values are that a reader sees otherwise. */
export interface Scanned {
  members: Map<string, Span>; // of the resource itself
  references: Span[]; // strings of members called reference, at any depth
}

const maxDepth = 64;
const stringToken = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const numberToken = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const space = /[ \t\r\n]*/y;

/** Reads one JSON object without white space around it. */
export function scan(src: string): Scanned {
  const out: Scanned = { members: new Map(), references: [] };
  let at = 0;
  const bad = (why: string): never => fail("altered", `resource: ${why}`);
  const token = (re: RegExp, what: string): string => {
    re.lastIndex = at;
    const m = re.exec(src);
    if (!m) return bad(`${what} expected`);
    at = re.lastIndex;
    return m[0];
  };
  const skip = (): void => void token(space, "space");
  const string = (): string => {
    const s = JSON.parse(token(stringToken, "a string")) as string;
    return /[\ud800-\udfff]/u.test(s) ? bad("half a character") : s;
  };
  const list = (close: string, item: () => void): void => {
    at++;
    skip();
    if (src[at] === close) {
      at++;
      return;
    }
    for (;;) {
      item();
      skip();
      const c = src[at++];
      if (c === close) return;
      if (c !== ",") bad("a comma expected");
      skip();
    }
  };
  const value = (depth: number, inArray: boolean, name: string): void => {
    const c = src[at];
    const from = at;
    if (c === "{" || c === "[") {
      if (depth >= maxDepth) bad("nested too deeply");
      if (c === "{") object(depth + 1);
      else list("]", () => value(depth + 1, true, ""));
    } else if (c === '"') {
      string();
      if (name === "reference" && !inArray) out.references.push({ from, to: at });
    } else if (c === "t" || c === "f" || c === "n") {
      const word = c === "t" ? "true" : c === "f" ? "false" : "null";
      if (!src.startsWith(word, at) || (c === "n" && !inArray)) bad("a value expected");
      at += word.length;
    } else token(numberToken, "a value");
  };
  const object = (depth: number): void => {
    const names = new Set<string>();
    list("}", () => {
      const name = string();
      if (names.has(name)) bad("a name stands twice");
      names.add(name);
      skip();
      if (src[at++] !== ":") bad("a colon expected");
      skip();
      const from = at;
      value(depth, false, name);
      if (depth === 1) out.members.set(name, { from, to: at });
    });
  };
  if (src[0] !== "{") bad("no object");
  object(1);
  if (at !== src.length) bad("something follows it");
  return out;
}

/** What a reader answers: the chart's id, version and time, and references that hold everywhere. All else is as it was received. */
export function render(src: string, s: Scanned, as: { id: string; version: number; at: number; refs: Map<string, string> }): string {
  const edits: { from: number; to: number; text: string }[] = [];
  const after = s.members.get("resourceType")!.to;
  const set = (name: string, text: string): void => {
    const m = s.members.get(name);
    if (m) edits.push({ ...m, text });
    else edits.push({ from: after, to: after, text: `,"${name}":${text}` });
  };
  set("id", JSON.stringify(as.id));
  set("meta", meta(src, s.members.get("meta"), as.version, as.at));
  for (const r of s.references) {
    const to = as.refs.get(JSON.parse(src.slice(r.from, r.to)) as string);
    if (to !== undefined && src[r.from + 1] !== "#") edits.push({ ...r, text: JSON.stringify(to) });
  }
  edits.sort((a, b) => a.from - b.from);
  let out = "";
  let at = 0;
  for (const e of edits) {
    if (e.from < at) continue; // a reference inside the meta that was replaced
    out += src.slice(at, e.from) + e.text;
    at = e.to;
  }
  return out + src.slice(at);
}

/** The received meta with versionId and lastUpdated set; its other members are the sender's statements. */
function meta(src: string, at: Span | undefined, version: number, updated: number): string {
  let out = `{"versionId":"${version}","lastUpdated":"${new Date(updated).toISOString()}"`;
  if (at && src[at.from] === "{") {
    const own = src.slice(at.from, at.to);
    for (const [name, m] of scan(own).members)
      if (!/^_?(versionId|lastUpdated)$/.test(name)) out += `,${JSON.stringify(name)}:${own.slice(m.from, m.to)}`;
  }
  return `${out}}`;
}
