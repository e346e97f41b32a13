/** The parts of a decision: which sections, how long, and the one sentence that says what it comes to. */
import { signal } from "@preact/signals";
import { list, say, time, words } from "../../i18n/index.ts";
import { Check, Choice } from "../../ui/parts.tsx";
import type { SectionName } from "../../vault/api.ts";
import { clinicalSections } from "../../vault/names.ts";
import { ordinary, sensitive } from "./bundle.ts";

const day = 86_400_000;
export type Long = "three" | "ninety" | "open" | "asked";

/** The end of a preset, from now; 0 until it is stopped. */
export const until = (l: Long, asked = 0): number =>
  l === "three" ? Date.now() + 3 * day : l === "ninety" ? Date.now() + 90 * day : l === "asked" ? asked : 0;

/** Lists of sections in words; all of them have words of their own. */
export const sectionsText = (all: readonly SectionName[]): string =>
  clinicalSections.every((s) => all.includes(s))
    ? words.value.sharing.everything
    : list(clinicalSections.filter((s) => all.includes(s)).map((s) => words.value.sections[s]));

export function Sections({
  of,
  on,
  set,
}: {
  of: readonly SectionName[];
  on: ReadonlySet<SectionName>;
  set(s: ReadonlySet<SectionName>): void;
}) {
  const w = words.value.sharing;
  const press = (s: SectionName, yes: boolean) => {
    const next = new Set(on);
    if (yes) next.add(s);
    else next.delete(s);
    set(next);
  };
  const boxes = (all: readonly SectionName[]) =>
    all
      .filter((s) => of.includes(s))
      .map((s) => <Check key={s} label={words.value.sections[s]} on={on.has(s)} set={(yes) => press(s, yes)} />);
  const apart = boxes(sensitive);
  return (
    <fieldset class="choice">
      <legend>{w.what}</legend>
      <div class="pair">
        <button type="button" class="link" onClick={() => set(new Set(of))}>
          {w.whatAll}
        </button>
        <button type="button" class="link" onClick={() => set(new Set())}>
          {w.whatNone}
        </button>
      </div>
      <div class="columns">{boxes(ordinary)}</div>
      {apart.length > 0 && (
        <fieldset class="choice inner">
          <legend>{w.sensitive}</legend>
          <div class="columns">{apart}</div>
        </fieldset>
      )}
    </fieldset>
  );
}

export function HowLong({ value, set, asked }: { value: Long; set(l: Long): void; asked?: number }) {
  const w = words.value.sharing;
  const options: { value: Long; label: string }[] = [
    { value: "three", label: w.presets.three },
    { value: "ninety", label: w.presets.ninety },
    { value: "open", label: w.presets.open },
  ];
  if (asked) options.unshift({ value: "asked", label: w.asked.replace("{time}", time(asked)) });
  return <Choice title={w.long} value={value} set={set} options={options} />;
}

/** Who may do what, what for, until when. */
export function Sentence(p: { who: string; may: string; sections: readonly SectionName[]; purpose: string; until: number }) {
  const w = words.value.sharing;
  return (
    <p class="sentence">
      {say(w.sentence, {
        who: (
          <strong>
            <bdi>{p.who}</bdi>
          </strong>
        ),
        may: p.may,
        what: <strong>{sectionsText(p.sections)}</strong>,
        purpose: p.purpose,
        until: <strong>{p.until ? say(w.sentenceUntil, { day: time(p.until) }) : w.sentenceOpen}</strong>,
      })}
    </p>
  );
}

/** Which card is being changed: the ids of the grants that the new ones replace. */
export const changing = signal<readonly string[]>([]);
