/** The person's language: the dictionary, and numbers and times as the language writes them. A dictionary is fetched when it is spoken. */
import { signal } from "@preact/signals";
import type { ComponentChild } from "preact";
import type { en } from "./en.ts";
import type { Plural, Widened } from "./type.ts";

export type Dictionary = Widened<typeof en>;

export const languages = { en: "English", de: "Deutsch", es: "Español", ar: "العربية" } as const;
export type Language = keyof typeof languages;

/** Latin digits everywhere: a dose must look the same in the sentence and on the package. */
const locales: Record<Language, string> = { en: "en-GB", de: "de", es: "es", ar: "ar-u-nu-latn" };
const remembered = "vitalog.language";

export const language = signal<Language>("en");

/** Nothing is shown before speak has filled it. */
export const words = signal({} as Dictionary);

const isLanguage = (s: string): s is Language => Object.hasOwn(languages, s);

async function load(l: Language): Promise<Dictionary> {
  if (l === "de") return (await import("./de.ts")).de;
  if (l === "es") return (await import("./es.ts")).es;
  if (l === "ar") return (await import("./ar.ts")).ar;
  return (await import("./en.ts")).en;
}

/** Speaks a language, and remembers it in this browser. */
export async function speak(l: Language) {
  words.value = await load(l);
  language.value = l;
  document.documentElement.lang = l;
  document.documentElement.dir = l === "ar" ? "rtl" : "ltr";
  localStorage.setItem(remembered, l);
}

/** The language that was chosen here, else the first that the browser asks for and the app has. */
export function preferred(): Language {
  const wishes = [localStorage.getItem(remembered) ?? "", ...navigator.languages].map((w) => w.split("-")[0] ?? "");
  return wishes.find(isLanguage) ?? "en";
}

const hole = /\{(\w+)\}/;

/** Fills the holes of a text. */
export const fill = (text: string, values: Record<string, string | number>): string =>
  text.replaceAll(new RegExp(hole, "g"), (whole, name: string) => {
    const v = values[name];
    return v === undefined ? whole : typeof v === "number" ? number(v) : v;
  });

/** Fills the holes of a text with elements: names stand in a bdi of their own. */
export const say = (text: string, values: Record<string, ComponentChild>): ComponentChild[] =>
  text.split(hole).map((part, i) => (i % 2 === 0 ? part : values[part]));

/** The form for n, with n in {n}. */
export function count(p: Plural, n: number): string {
  const form = new Intl.PluralRules(locales[language.value]).select(n);
  return fill(p[form] ?? p.other, { n });
}

export const number = (n: number): string => new Intl.NumberFormat(locales[language.value], { maximumFractionDigits: 3 }).format(n);

type Style = "day" | "long" | "month" | "minute" | "year" | "time";

const styles: Record<Style, Intl.DateTimeFormatOptions> = {
  day: { day: "numeric", month: "short", year: "numeric" },
  long: { weekday: "long", day: "numeric", month: "long", year: "numeric" },
  month: { month: "short", year: "numeric" },
  minute: { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" },
  year: { year: "numeric" },
  time: { hour: "2-digit", minute: "2-digit" },
};

const made = new Map<string, Intl.DateTimeFormat>();

export function time(at: number, style: Style = "day"): string {
  const id = `${language.value} ${style}`;
  let f = made.get(id);
  if (!f) {
    f = new Intl.DateTimeFormat(locales[language.value], styles[style]);
    made.set(id, f);
  }
  return f.format(at);
}

/** A and B, or A, B and C. */
export const list = (all: string[]): string => new Intl.ListFormat(locales[language.value], { type: "conjunction" }).format(all);
