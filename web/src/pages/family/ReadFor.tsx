/** Somebody else's record: why it is opened, and the ways into it once it is. */
import { useEffect, useState } from "preact/hooks";
import { place } from "../../app/route.ts";
import { another, explain, progress, reading, vault } from "../../app/store.ts";
import { fill, say, words } from "../../i18n/index.ts";
import { LongField } from "../../ui/LongField.tsx";
import { Button, Part, RowLink, Title } from "../../ui/parts.tsx";
import type { ReadsFor, RefusedSection } from "../../vault/api.ts";
import { sectionsText } from "../sharing/terms.tsx";

export function ReadFor() {
  const w = words.value.family;
  const id = place.value.of || (reading.value?.id ?? "");
  const [who, setWho] = useState<ReadsFor | null>(null);
  const [reason, setReason] = useState("");
  const [refused, setRefused] = useState<RefusedSection[]>([]);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    vault.readsAll().then(
      (all) => setWho(all.find((r) => r.id === id) ?? null),
      (e: unknown) => setError(explain(e)),
    );
  }, [id]);
  const name = who?.name ?? "";
  const open = async () => {
    setBusy(true);
    setError("");
    reading.value = null;
    try {
      const chart = await vault.readFor({ id, reason });
      setRefused(chart.refused);
      const some = chart.refused.length < (who?.sections.length ?? 0);
      if (some) reading.value = { id, name, chart };
    } catch (e) {
      setError(explain(e));
    } finally {
      setBusy(false);
      progress.value = null;
    }
  };
  return (
    <div class="page">
      <Title key={another.value ? "open" : "closed"} back="/more/family">
        <bdi>{fill(w.open, { who: name })}</bdi>
      </Title>
      <p class="lead">{say(w.seen, { who: <bdi>{name}</bdi> })}</p>
      {another.value ? (
        <Part title={words.value.record.title}>
          <ul class="card rows">
            <RowLink to="/record" icon="record" title={words.value.record.title} more={who ? sectionsText(who.sections) : ""} />
            <RowLink to="/vitals" icon="pulse" title={words.value.vitals.title} />
            <RowLink to="/medicines" icon="pill" title={words.value.medicines.title} />
          </ul>
        </Part>
      ) : (
        <LongField label={w.reason} hint={fill(w.reasonHint, { who: name })} value={reason} set={setReason} most={1000} />
      )}
      <p class="hint bad" role="alert">
        {error || (refused.length > 0 && fill(w.refused, { what: sectionsText(refused.map((r) => r.section)), who: name }))}
      </p>
      {!another.value && (
        <div class="stack">
          <Button tone="main" busy={busy} onClick={() => void open()}>
            {fill(w.read, { who: name })}
          </Button>
        </div>
      )}
    </div>
  );
}
