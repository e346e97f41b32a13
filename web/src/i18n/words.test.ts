/** No word that a person reads stands outside the dictionaries, and no dictionary is half done. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAst } from "vite";
import { expect, test } from "vitest";
import { ar } from "./ar.ts";
import { de } from "./de.ts";
import { en } from "./en.ts";
import { es } from "./es.ts";

const root = join(import.meta.dirname, "..");
const sources = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".tsx"));

/** Attributes that are read out or shown. */
const shown = new Set(["aria-label", "aria-valuetext", "aria-description", "title", "placeholder", "alt", "label", "hint", "why", "act"]);

const letters = /\p{L}{2}/u;

type Node = { type: string; [name: string]: unknown };

const isNode = (x: unknown): x is Node => typeof x === "object" && x !== null && typeof (x as Node).type === "string";

/** Texts of JSX: between tags, in attributes that are shown, and strings in braces between tags. */
function* texts(n: unknown, inside = ""): Generator<string> {
  if (Array.isArray(n)) {
    for (const x of n) yield* texts(x, inside);
    return;
  }
  if (!isNode(n)) return;
  if (n.type === "JSXText" && letters.test(String(n.value))) yield String(n.value).trim();
  if (n.type === "Literal" && inside && typeof n.value === "string" && letters.test(n.value)) yield n.value;
  if (n.type === "TemplateElement" && inside) {
    const raw = String((n.value as { raw: string }).raw);
    if (letters.test(raw)) yield raw;
  }
  if (n.type === "JSXAttribute") {
    const name = String((n.name as Node).name);
    yield* texts(n.value, shown.has(name) ? name : "");
    return;
  }
  if (n.type === "CallExpression" || n.type === "ArrowFunctionExpression" || n.type === "BinaryExpression" || n.type === "MemberExpression")
    inside = "";
  if (n.type === "JSXElement" || n.type === "JSXFragment") {
    yield* texts(n.openingElement);
    for (const c of n.children as Node[]) yield* texts(c, c.type === "JSXExpressionContainer" ? "text" : "");
    return;
  }
  for (const [name, x] of Object.entries(n)) {
    if (name === "test" && n.type === "ConditionalExpression") continue; // what is compared is not shown
    if (name === "left" && n.type === "LogicalExpression") yield* texts(x);
    else yield* texts(x, inside);
  }
}

test("there are sources, and the scan finds what it looks for", () => {
  expect(sources.length).toBeGreaterThan(20);
  const bad = '<p title="Hello there">Some {ok ? "yes" : w.no} <b>{`text ${n}`}</b></p>';
  expect([...texts(parseAst(bad, { lang: "tsx" }))]).toEqual(["Hello there", "Some", "yes", "text "]);
  expect([...texts(parseAst('<p class="card">{w.title} {a === "high" && <i />} {say(w.x, { who: "a" })}</p>', { lang: "tsx" }))]).toEqual(
    [],
  );
});

test.each(sources)("%s holds no words of its own", (f) => {
  expect([...texts(parseAst(readFileSync(join(root, f), "utf8"), { lang: "tsx" }))]).toEqual([]);
});

/** All texts of a dictionary by their path; the forms of a plural are one. */
function* entries(d: object, path = ""): Generator<[string, string]> {
  for (const [name, v] of Object.entries(d)) {
    const at = path ? `${path}.${name}` : name;
    if (typeof v === "string") yield [at, v];
    else if ("one" in v && "other" in v) yield [at, v.other];
    else yield* entries(v, at);
  }
}

const holes = (s: string) => [...s.matchAll(/\{\w+\}/g)].map((m) => m[0]).sort();

test.each([
  ["de", de],
  ["es", es],
  ["ar", ar],
] as const)("%s says all that English says, with the same holes", (_, d) => {
  const other = new Map(entries(d));
  for (const [at, text] of entries(en)) {
    expect(other.get(at), at).toBeTruthy();
    expect(holes(other.get(at)!), at).toEqual(holes(text));
  }
  expect(other.size).toBe([...entries(en)].length);
});
