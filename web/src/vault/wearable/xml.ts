/**
 * The begins and ends of elements of an XML text of any length, in bounded memory: all that an export of Apple Health needs. Entities are not expanded but
 * those of XML itself. No element's begin, no comment and no declaration is longer than 1 MiB, and no more than 32 elements are within each other.
 */

import { fail } from "../failure.ts";

export type Token = { begin: string; attributes: Map<string, string> } | { end: string };

const most = { token: 1 << 20, depth: 32 };

const bad = (why: string): never => fail("invalid", `export: ${why}`);

const named: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

const entity = /&(#x[0-9a-fA-F]{1,6}|#[0-9]{1,7}|[A-Za-z]+);|&/g;

const unescaped = (s: string): string =>
  s.includes("&")
    ? s.replace(entity, (_, e: string | undefined) => {
        if (e?.startsWith("#")) {
          const n = e[1] === "x" ? Number.parseInt(e.slice(2), 16) : Number(e.slice(1));
          return n <= 0x10ffff ? String.fromCodePoint(n) : bad("a character that there isn't");
        }
        return named[e ?? ""] ?? bad("an entity that is not XML's own");
      })
    : s;

const attribute = /\s+([A-Za-z_:][\w:.-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;

function begin(text: string): { begin: string; attributes: Map<string, string>; closed: boolean } {
  const name = /^[A-Za-z_:][\w:.-]*/.exec(text)?.[0] ?? bad("an element without a name");
  const attributes = new Map<string, string>();
  let at = name.length;
  for (;;) {
    attribute.lastIndex = at;
    const m = attribute.exec(text);
    if (!m) break;
    attributes.set(m[1]!, unescaped(m[2] ?? m[3] ?? ""));
    at = attribute.lastIndex;
  }
  const rest = text.slice(at).trim();
  if (rest !== "" && rest !== "/") bad(`an element ${name} that doesn't read`);
  return { begin: name, attributes, closed: rest === "/" };
}

/** Where a piece of markup ends, from its "<": the place after its ">"; -1 if the text breaks off before. */
function endOf(s: string, from: number): number {
  const after = (what: string): number => {
    const i = s.indexOf(what, from + 2);
    return i < 0 ? -1 : i + what.length;
  };
  if (s.startsWith("<!--", from)) return after("-->");
  if (s.startsWith("<![CDATA[", from)) return after("]]>");
  if (s.startsWith("<?", from)) return after("?>");
  if (s.length - from < 9 && "<![CDATA[".startsWith(s.slice(from))) return -1;
  let [quote, depth] = ["", 0];
  for (let i = from; i < s.length; i++) {
    const c = s[i]!;
    if (!quote && c === "<" && s.startsWith("<!--", i)) {
      const end = s.indexOf("-->", i);
      if (end < 0) return -1;
      i = end + 2;
    } else if (quote) quote = c === quote ? "" : quote;
    else if (c === '"' || c === "'") quote = c;
    else if (c === "<") depth++;
    else if (c === ">" && --depth === 0) return i + 1;
  }
  return -1;
}

/** Tokens of a text that comes in pieces. */
export async function* tokens(pieces: AsyncIterable<string>): AsyncGenerator<Token> {
  const path: string[] = [];
  let [left, seen] = ["", false];
  for await (const piece of pieces) {
    left += piece;
    let at = 0;
    for (;;) {
      const from = left.indexOf("<", at);
      if (from < 0) {
        at = left.length;
        break;
      }
      const to = endOf(left, from);
      if (to < 0) {
        at = from;
        break;
      }
      const text = left.slice(from + 1, to - 1);
      at = to;
      if (text.length > most.token) bad("an element of more than 1 MiB");
      if (text[0] === "!" || text[0] === "?") continue;
      if (text[0] === "/") {
        const end = text.slice(1).trim();
        if (path.pop() !== end) bad(`an end of ${end} without its begin`);
        yield { end };
        continue;
      }
      const b = begin(text);
      if (path.length === 0 && seen) bad("two elements side by side");
      seen = true;
      if (path.push(b.begin) > most.depth) bad(`more than ${most.depth} elements within each other`);
      yield { begin: b.begin, attributes: b.attributes };
      if (b.closed) {
        path.pop();
        yield { end: b.begin };
      }
    }
    left = left.slice(at);
    if (left.length > most.token) bad("an element of more than 1 MiB");
  }
  if (left.trim() !== "" || path.length > 0) bad("it breaks off");
}
