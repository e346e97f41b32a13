/** Sharing without being asked, or changing what is shared: choose, read one sentence, share. */
import { useEffect, useState } from "preact/hooks";
import { replace } from "../../app/route.ts";
import { grants, network, settled, vault } from "../../app/store.ts";
import { words } from "../../i18n/index.ts";
import { Button, Choice, Field, Title } from "../../ui/parts.tsx";
import type { Grant, SectionName } from "../../vault/api.ts";
import { clinicalSections } from "../../vault/names.ts";
import { may, ordinary } from "./bundle.ts";
import { changing, HowLong, type Long, Sections, Sentence, until } from "./terms.tsx";

type May = "read" | "write" | "both";
const rights: Record<May, ("read" | "write")[]> = { read: ["read"], write: ["write"], both: ["read", "write"] };
const choices = ["TREAT", "ETREAT", "HPAYMT", "HRESCH", "HOPERAT", "PUBHLTH"] as const;

interface Draft {
  member: number;
  may: May;
  sections: ReadonlySet<SectionName>;
  purpose: string;
  long: Long;
  asked: number; // the end that is in force, when something is changed
  label: string;
}

/** A new one, or what the card that is changed says. */
function draft(old: Grant[]): Draft {
  const g = old[0];
  if (g?.to.kind !== "member")
    return { member: -1, may: "both", sections: new Set(ordinary), purpose: "TREAT", long: "ninety", asked: 0, label: "" };
  return {
    member: g.to.number,
    may: may(g.rights),
    sections: new Set(old.map((x) => x.section)),
    purpose: g.purpose,
    long: g.until ? "asked" : "open",
    asked: g.until,
    label: g.label,
  };
}

export function NewShare() {
  const w = words.value.sharing;
  const [old] = useState(() => (grants.value ?? []).filter((g) => changing.value.includes(g.id)));
  const [d, setDraft] = useState(() => draft(old));
  const [review, setReview] = useState(false);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    changing.value = [];
  }, []);
  const set = (p: Partial<Draft>) => setDraft({ ...d, ...p });
  const who = network.value?.members.find((m) => m.number === d.member)?.name ?? "";
  const end = until(d.long, d.asked);
  const sections = clinicalSections.filter((s) => d.sections.has(s));

  const share = async () => {
    setBusy(true);
    // First the new, then the end of the old: so there is no moment without, and a failure between leaves too much rather than a surprise.
    const done = await settled(old.length > 0 ? w.changed : w.shared1, async () => {
      const f = await vault.share({ member: d.member, purpose: d.purpose, sections, rights: rights[d.may], until: end, label: d.label });
      return old.length > 0 ? vault.stop({ grants: old.map((g) => g.id) }) : f;
    });
    setBusy(false);
    if (done) replace("/sharing");
  };
  const look = () => {
    const missing = d.member < 0 ? w.pickWho : sections.length === 0 ? w.pickSome : "";
    setError(missing);
    setReview(!missing);
  };

  if (review)
    return (
      <div class="page">
        <Title key="review" back="/sharing">
          {w.reviewTitle}
        </Title>
        <div class="card lead-card">
          <Sentence
            who={who}
            may={{ read: w.mayRead, write: w.mayWrite, both: w.mayBoth }[d.may]}
            sections={sections}
            purpose={words.value.purposes[d.purpose as "TREAT"] ?? d.purpose}
            until={end}
          />
        </div>
        <div class="stack">
          <Button tone="main" busy={busy} onClick={() => void share()}>
            {w.share}
          </Button>
          <Button onClick={() => setReview(false)}>{w.edit}</Button>
        </div>
      </div>
    );
  return (
    <div class="page">
      <Title back="/sharing">{old.length > 0 ? w.change : w.new}</Title>
      {old.length === 0 ? (
        <Choice
          title={w.member}
          value={d.member}
          set={(member) => set({ member })}
          options={(network.value?.members ?? []).map((m) => ({
            value: m.number,
            label: (
              <>
                <bdi>{m.name}</bdi> <span class="row-more">{w.kind[m.kind as "other"] ?? w.kind.other}</span>
              </>
            ),
          }))}
        />
      ) : (
        <p class="lead">
          <bdi>{who}</bdi>
        </p>
      )}
      <Choice
        title={w.may}
        value={d.may}
        set={(m) => set({ may: m })}
        options={[
          { value: "both", label: w.mayBoth },
          { value: "read", label: w.mayRead },
          { value: "write", label: w.mayWrite },
        ]}
      />
      <Sections of={clinicalSections} on={d.sections} set={(s) => set({ sections: s })} />
      {old.length === 0 && (
        <Choice
          title={w.why}
          value={d.purpose}
          set={(purpose) => set({ purpose })}
          options={choices.map((c) => ({ value: c as string, label: words.value.purposes[c] }))}
        />
      )}
      <HowLong value={d.long} set={(long) => set({ long })} asked={d.asked} />
      <Field label={w.note} hint={w.noteHint} value={d.label} set={(label) => set({ label })} />
      <p class="hint bad" role="alert">
        {error}
      </p>
      <div class="stack">
        <Button tone="main" onClick={look}>
          {w.review}
        </Button>
      </div>
    </div>
  );
}
