/** "This is wrong": one press opens the form; what was asked, and what came of it, stands at the entry (spec/corrections.md). */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { corrections, grants, settled, state, vault } from "../../app/store.ts";
import { type Asked, correction, longest, placeOf, type Why, whys } from "../../fhir/corrections.ts";
import type { Item } from "../../fhir/item.ts";
import { fill, list, say, time, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { LongField } from "../../ui/LongField.tsx";
import { Button, Choice, Part } from "../../ui/parts.tsx";
import { Sheet } from "../../ui/Sheet.tsx";
import type { SectionName } from "../../vault/api.ts";
import { partyName } from "../activity/AccessRow.tsx";
import { live } from "../sharing/bundle.ts";

/** The names of those who may read a section now. */
export const readersOf = (section: SectionName): string[] => [
  ...new Set((grants.value ?? []).filter((g) => live(g) && g.section === section && g.rights.includes("read")).map((g) => partyName(g.to))),
];

/** What has to be known before it is signed: who reads it, and whether the one who is asked does. */
function Readers({ section, to }: { section: SectionName; to: string }) {
  const w = words.value.wrong;
  const readers = readersOf(placeOf(section));
  return (
    <>
      <p class="quiet">{readers.length > 0 ? say(w.readers, { who: <bdi>{list(readers)}</bdi> }) : w.readersNone}</p>
      {!readers.includes(to) && (
        <p class="notice">
          <Icon name="alert" />
          <span>{say(w.unread, { who: <bdi>{to}</bdi>, section: words.value.sections[placeOf(section)] })}</span>
        </p>
      )}
    </>
  );
}

export function Wrong({ item: i }: { item: Item }) {
  const w = words.value.wrong;
  const [open, setOpen] = useState(false);
  const before = corrections.value.filter((c) => c.about === i.key);
  if (!i.version.author.member && before.length === 0) return null;
  return (
    <>
      {before.length > 0 && (
        <Part title={w.title}>
          <ul class="card rows">
            {before.map((c) => (
              <AskedRow key={c.key} asked={c} />
            ))}
          </ul>
        </Part>
      )}
      {i.version.author.member && (
        <div class="stack ends">
          <Button icon="alert" onClick={() => setOpen(true)}>
            {w.open}
          </Button>
        </div>
      )}
      {open && <Form item={i} close={() => setOpen(false)} />}
    </>
  );
}

export function AskedRow({ asked: c }: { asked: Asked }) {
  const w = words.value.wrong;
  return (
    <li class="row">
      <span class="row-icon">
        <Icon name={c.state === "corrected" ? "check" : c.state === "declined" ? "cross" : "note"} />
      </span>
      <div class="row-text">
        <p class="row-title">{w.states[c.state]}</p>
        <p class="row-more">
          {say(w.sent, { who: <bdi>{c.to || words.value.activity.unknown}</bdi>, day: time(c.at, "minute") })}
          {c.answered > 0 && ` · ${fill(w.answered, { day: time(c.answered, "minute") })}`}
        </p>
        <p>
          <bdi>{c.text}</bdi>
        </p>
        {c.answer && <blockquote dir="auto">{c.answer}</blockquote>}
        {c.answered === 0 && (
          <button type="button" class="link" onClick={() => void settled(w.withdrawn, () => vault.remove({ key: c.key }))}>
            {w.withdraw}
          </button>
        )}
      </div>
    </li>
  );
}

interface LetterProps {
  title: string;
  label: string;
  hint: string;
  missing: string; // what is said of an empty text
  section: SectionName; // of what it is about
  to: string;
  write(text: string): string; // the resource, as JSON
  close(): void;
  children: ComponentChildren;
}

/** What a patient writes to an author: its text, who will read it, and the button that signs it. */
export function Letter({ title, label, hint, missing, section, to, write, close, children }: LetterProps) {
  const w = words.value.wrong;
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const send = async () => {
    if (!text.trim()) return setError(missing);
    setBusy(true);
    if (await settled(w.done, () => vault.write({ json: write(text), section: placeOf(section) }))) close();
    setBusy(false);
  };
  return (
    <Sheet title={title} close={close}>
      {children}
      <LongField label={label} hint={hint} error={error} value={text} set={setText} most={longest} />
      <Readers section={section} to={to} />
      <div class="stack">
        <Button tone="main" busy={busy} onClick={() => void send()}>
          {w.send}
        </Button>
        <Button onClick={close}>{words.value.common.cancel}</Button>
      </div>
    </Sheet>
  );
}

function Form({ item: i, close }: { item: Item; close(): void }) {
  const w = words.value.wrong;
  const who = i.version.author.member;
  const [why, setWhy] = useState<Why>("value");
  const write = (text: string) => correction(state.value?.chart ?? "", i, why, text, Date.now());
  return (
    <Letter
      title={w.formTitle}
      label={w.text}
      hint={w.textHint}
      missing={w.textMissing}
      section={i.version.section}
      to={who}
      write={write}
      close={close}
    >
      <p>{say(w.why, { who: <bdi>{who}</bdi> })}</p>
      <Choice title={w.reason} value={why} set={(v: Why) => setWhy(v)} options={whys.map((v) => ({ value: v, label: w.reasons[v] }))} />
    </Letter>
  );
}
