/** A request: who asks for what and why. It can be narrowed, and nothing happens before one sentence was read. */
import { useState } from "preact/hooks";
import { place, replace } from "../../app/route.ts";
import { requests, settled, vault } from "../../app/store.ts";
import { fill, say, time, words } from "../../i18n/index.ts";
import { Button, Chip, Empty, Field, Title } from "../../ui/parts.tsx";
import { Sheet } from "../../ui/Sheet.tsx";
import type { Request, SectionName } from "../../vault/api.ts";
import { partyName, purposeName } from "../activity/AccessRow.tsx";
import { sensitive } from "./bundle.ts";
import { HowLong, type Long, Sections, Sentence, until } from "./terms.tsx";

export function RequestPage() {
  const r = requests.value?.requests.find((x) => x.id === place.value.of);
  if (!r)
    return (
      <div class="page">
        <Title back="/sharing">{words.value.request.title}</Title>
        <Empty icon="person">{words.value.request.gone}</Empty>
      </div>
    );
  return <Asked key={r.id} request={r} />;
}

function Asked({ request: r }: { request: Request }) {
  const w = words.value.request;
  const s = words.value.sharing;
  const [on, setOn] = useState<ReadonlySet<SectionName>>(() => new Set(r.sections.filter((x) => !sensitive.includes(x))));
  const [long, setLong] = useState<Long>(r.lasts > 0 ? "asked" : "ninety");
  const [label, setLabel] = useState("");
  const [step, setStep] = useState<"look" | "review" | "deny">("look");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const sections = r.sections.filter((x) => on.has(x));
  const askedUntil = r.lasts > 0 ? Date.now() + r.lasts : 0;
  const end = until(long, askedUntil);
  const who = r.person ? `${r.person} (${partyName(r.from)})` : partyName(r.from);
  const answer = async (granted: SectionName[], done: string) => {
    setBusy(true);
    const ok = await settled(done, () => vault.answer({ request: r.id, sections: granted, until: end, uses: r.uses, note: "", label }));
    setBusy(false);
    if (ok) replace("/sharing");
  };

  if (step === "review")
    return (
      <div class="page">
        <Title key="review" back="/sharing">
          {s.reviewTitle}
        </Title>
        <div class="card lead-card">
          <Sentence who={who} may={s.mayRead} sections={sections} purpose={purposeName(r.purpose)} until={end} />
        </div>
        <div class="stack">
          <Button tone="main" busy={busy} onClick={() => void answer(sections, s.shared1)}>
            {s.share}
          </Button>
          <Button onClick={() => setStep("look")}>{s.edit}</Button>
        </div>
      </div>
    );
  return (
    <div class="page">
      <Title back="/sharing">{say(w.asks, { who: <bdi>{r.person || partyName(r.from)}</bdi> })}</Title>
      <div class="card lead-card">
        <p>
          <bdi>{[r.person, r.role, r.organisation, partyName(r.from)].filter((x, i, all) => x && all.indexOf(x) === i).join(" · ")}</bdi>
        </p>
        {r.reason && (
          <p>
            <bdi>{fill(words.value.activity.reason, { reason: r.reason })}</bdi>
          </p>
        )}
        <p class="row-chips">
          <Chip>{fill(s.purpose, { purpose: purposeName(r.purpose) })}</Chip>
          {r.answered && <Chip icon={r.granted ? "check" : "cross"}>{r.granted ? w.granted : w.answered}</Chip>}
        </p>
        <p class="row-more">{fill(w.when, { time: time(r.at, "minute") })}</p>
        {r.careFrom > 0 && r.careUntil > 0 && <p class="row-more">{fill(w.care, { from: time(r.careFrom), to: time(r.careUntil) })}</p>}
      </div>
      <p class="lead">{w.narrow}</p>
      <Sections of={r.sections} on={on} set={setOn} />
      <HowLong value={long} set={setLong} asked={askedUntil} />
      <Field label={s.note} hint={s.noteHint} value={label} set={setLabel} />
      <p class="hint bad" role="alert">
        {error}
      </p>
      <div class="stack">
        <Button
          tone="main"
          onClick={() => {
            setError(sections.length === 0 ? s.pickSome : "");
            if (sections.length > 0) setStep("review");
          }}
        >
          {s.review}
        </Button>
        <Button onClick={() => setStep("deny")}>{w.deny}</Button>
      </div>
      {step === "deny" && (
        <Sheet title={w.denyTitle} close={() => setStep("look")}>
          <p>{say(w.denyWhy, { who: <bdi>{partyName(r.from)}</bdi> })}</p>
          <div class="stack">
            <Button tone="main" busy={busy} onClick={() => void answer([], w.denied)}>
              {w.deny}
            </Button>
            <Button onClick={() => setStep("look")}>{words.value.common.cancel}</Button>
          </div>
        </Sheet>
      )}
    </div>
  );
}
