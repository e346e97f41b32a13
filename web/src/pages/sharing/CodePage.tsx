/** Makes a code for somebody without an account, and shows it with its passcode. */
import { useState } from "preact/hooks";
import { place, replace } from "../../app/route.ts";
import { explain, links, settled, tell, vault } from "../../app/store.ts";
import { count, words } from "../../i18n/index.ts";
import { Code } from "../../ui/Code.tsx";
import { Button, Choice, Empty, Field, Title } from "../../ui/parts.tsx";
import type { Link, SectionName } from "../../vault/api.ts";
import { clinicalSections } from "../../vault/names.ts";
import { opens, StopCode, Terms } from "./CodeCard.tsx";
import { Sections } from "./terms.tsx";

const minute = 60_000;
const longs = { quarter: 15 * minute, day: 24 * 60 * minute, week: 7 * 24 * 60 * minute } as const;
const times = [1, 5, 20];
const whats = {
  emergency: ["demographics", "summary", "medications"],
  medicines: ["summary", "medications"],
  chosen: [],
} as const satisfies Record<string, readonly SectionName[]>;
const [shortest, longest] = [6, 64]; // of a passcode

export function CodePage() {
  const { of } = place.value;
  if (of === "") return <Make key="make" />;
  const link = links.value?.find((l) => l.id === of);
  return link ? <Shown key={of} link={link} /> : <Make key="make" />;
}

function Make() {
  const w = words.value.codes;
  const share = words.value.sharing;
  const [what, setWhat] = useState<keyof typeof whats>("emergency");
  const [chosen, setChosen] = useState<ReadonlySet<SectionName>>(new Set());
  const [long, setLong] = useState<keyof typeof longs>("quarter");
  const [uses, setUses] = useState(1);
  const [passcode, setPasscode] = useState("");
  const [label, setLabel] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const sections = what === "chosen" ? clinicalSections.filter((s) => chosen.has(s)) : [...whats[what]];
  const size = new TextEncoder().encode(passcode.trim()).length;
  const short = size > 0 && (size < shortest || size > longest);

  const make = async () => {
    setError(sections.length === 0 ? share.pickSome : short ? w.passcodeHint : "");
    if (sections.length === 0 || short) return;
    setBusy(true);
    let id = "";
    const done = await settled(w.made, async () => {
      const made = await vault.makeLink({ sections, lasts: longs[long], uses, passcode: passcode.trim(), label });
      id = made.id;
      return made;
    });
    setBusy(false);
    if (done) replace("/sharing/code", id);
  };
  return (
    <div class="page">
      <Title back="/sharing">{w.title}</Title>
      <p class="lead">{w.why}</p>
      <Choice
        title={share.what}
        value={what}
        set={(v) => setWhat(v)}
        options={(["emergency", "medicines", "chosen"] as const).map((value) => ({ value, label: w.whats[value] }))}
      />
      {what === "chosen" && <Sections of={clinicalSections} on={chosen} set={setChosen} />}
      <Choice
        title={share.long}
        value={long}
        set={(v) => setLong(v)}
        options={(["quarter", "day", "week"] as const).map((value) => ({ value, label: w.longs[value] }))}
      />
      <Choice
        title={w.times}
        value={uses}
        set={(v) => setUses(v)}
        options={times.map((value) => ({ value, label: count(words.value.common.times, value) }))}
      />
      <Field label={w.passcode} hint={w.passcodeHint} value={passcode} set={setPasscode} />
      <Field label={share.note} hint={share.noteHint} value={label} set={setLabel} />
      <p class="hint bad" role="alert">
        {error}
      </p>
      <div class="stack">
        <Button tone="main" busy={busy} onClick={() => void make()}>
          {w.make}
        </Button>
      </div>
    </div>
  );
}

function Shown({ link: l }: { link: Link }) {
  const w = words.value.codes;
  const copy = () =>
    navigator.clipboard.writeText(l.text).then(
      () => tell(w.copied),
      (e: unknown) => tell(explain(e), true),
    );
  return (
    <div class="page">
      <Title back="/sharing">
        <bdi>{l.label || w.yours}</bdi>
      </Title>
      {opens(l) ? (
        <>
          <p class="lead">{w.tell}</p>
          <dl class="card passcode">
            <dt>{w.passcode}</dt>
            <dd>
              <code dir="ltr">{l.passcode}</code>
            </dd>
          </dl>
          <div class="card code">
            <Code text={l.text} label={w.scan} level="M" />
          </div>
          <div class="stack">
            <Button onClick={() => void copy()}>{w.copy}</Button>
            <div class="card folds">
              <details>
                <summary>{w.link}</summary>
                <p>
                  <code dir="ltr">{l.text}</code>
                </p>
              </details>
            </div>
          </div>
        </>
      ) : (
        <Empty icon="lock">{w.over}</Empty>
      )}
      <div class="card sharer">
        <Terms link={l} />
      </div>
      <p class="hint">{w.now}</p>
      {opens(l) && (
        <div class="stack ends">
          <StopCode link={l} />
        </div>
      )}
    </div>
  );
}
