/** Lets somebody read for this person: their code, what and until when, one sentence, share. */
import { useId, useState } from "preact/hooks";
import { replace } from "../../app/route.ts";
import { explain, settled, vault } from "../../app/store.ts";
import { say, time, words } from "../../i18n/index.ts";
import { Button, Choice, Field, Title } from "../../ui/parts.tsx";
import type { Invited, SectionName } from "../../vault/api.ts";
import { clinicalSections, proxyPurposes } from "../../vault/names.ts";
import { purposeName } from "../activity/AccessRow.tsx";
import { ordinary } from "../sharing/bundle.ts";
import { Sections, sectionsText } from "../sharing/terms.tsx";
import { Taken } from "./Text.tsx";

type Long = "ninety" | "day" | "open";

interface Draft {
  sections: ReadonlySet<SectionName>;
  purpose: string;
  patient: string;
  long: Long;
  day: string; // 2026-03-01
}

/** The moment at which it ends; 0: when it is stopped; NaN: no day was chosen. */
const untilOf = (d: Draft): number => {
  if (d.long === "open") return 0;
  if (d.long === "ninety") return Date.now() + 90 * 86_400_000;
  return d.day ? new Date(`${d.day}T23:59:59`).getTime() : Number.NaN;
};

export function NewProxy() {
  const w = words.value.family;
  const [text, setText] = useState("");
  const [who, setWho] = useState<Invited | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const look = async (t: string) => {
    setBusy(true);
    setError("");
    try {
      setWho(await vault.invited({ text: t }));
      setText(t);
    } catch (e) {
      setError(explain(e));
    } finally {
      setBusy(false);
    }
  };
  if (who) return <Terms who={who} text={text} />;
  return (
    <div class="page">
      <Title back="/more/family">{w.add}</Title>
      <p class="lead">{w.why}</p>
      <Taken
        label={w.theirCode}
        hint={w.theirCodeHint}
        begins="vitalog:proxy?"
        act={w.next}
        busy={busy}
        error={error}
        take={(t) => void look(t)}
      />
    </div>
  );
}

function Terms({ who, text }: { who: Invited; text: string }) {
  const w = words.value.family;
  const [d, setDraft] = useState<Draft>({ sections: new Set(ordinary), purpose: "FAMRQT", patient: "", long: "ninety", day: "" });
  const [review, setReview] = useState(false);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const set = (p: Partial<Draft>) => setDraft({ ...d, ...p });
  const sections = clinicalSections.filter((s) => d.sections.has(s));
  const until = untilOf(d);
  const name = (
    <strong>
      <bdi>{who.name}</bdi>
    </strong>
  );
  const look = () => {
    const day = d.long === "day" && !(until > Date.now());
    const missing = d.patient.trim() === "" ? w.needName : sections.length === 0 ? words.value.sharing.pickSome : day ? w.needDay : "";
    setError(missing);
    setReview(!missing);
  };
  const share = async () => {
    setBusy(true);
    const done = await settled(w.done, () => vault.shareWithProxy({ text, patient: d.patient, purpose: d.purpose, sections, until }));
    setBusy(false);
    if (done) replace("/more/family/code", who.id);
  };
  if (review)
    return (
      <div class="page">
        <Title key="review" back="/more/family">
          {words.value.sharing.reviewTitle}
        </Title>
        <div class="card lead-card">
          <p class="sentence">
            {say(w.sentence, {
              who: name,
              what: <strong>{sectionsText(sections)}</strong>,
              purpose: purposeName(d.purpose),
              until: (
                <strong>{until ? say(words.value.sharing.sentenceUntil, { day: time(until) }) : words.value.sharing.sentenceOpen}</strong>
              ),
            })}
          </p>
        </div>
        <div class="stack">
          <Button tone="main" busy={busy} onClick={() => void share()}>
            {words.value.sharing.share}
          </Button>
          <Button onClick={() => setReview(false)}>{words.value.sharing.edit}</Button>
        </div>
      </div>
    );
  return (
    <div class="page">
      <Title key="terms" back="/more/family">
        {w.add}
      </Title>
      <p class="lead">{say(w.who, { who: name })}</p>
      <Field label={w.patient} hint={w.patientHint} value={d.patient} set={(patient) => set({ patient })} />
      <Sections of={clinicalSections} on={d.sections} set={(s) => set({ sections: s })} />
      <Choice
        title={w.relation}
        value={d.purpose}
        set={(purpose) => set({ purpose })}
        options={proxyPurposes.map((p) => ({ value: p as string, label: purposeName(p) }))}
      />
      <Choice
        title={w.long}
        value={d.long}
        set={(long) => set({ long })}
        options={[
          { value: "ninety", label: words.value.sharing.presets.ninety },
          { value: "day", label: w.day },
          { value: "open", label: words.value.sharing.presets.open },
        ]}
      />
      {d.long === "day" && <Day value={d.day} set={(day) => set({ day })} />}
      <p class="hint bad" role="alert">
        {error}
      </p>
      <div class="stack">
        <Button tone="main" onClick={look}>
          {words.value.sharing.review}
        </Button>
      </div>
    </div>
  );
}

function Day({ value, set }: { value: string; set(v: string): void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{words.value.family.untilDay}</label>
      <input id={id} type="date" value={value} onInput={(e) => set(e.currentTarget.value)} />
    </div>
  );
}
