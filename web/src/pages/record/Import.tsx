/** An export of Apple Health, read and sealed on this device. */
import { useEffect, useId, useState } from "preact/hooks";
import { explain, progress, refresh, tell, vault } from "../../app/store.ts";
import { count, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Button, Choice, Title } from "../../ui/parts.tsx";
import { Working } from "../../ui/Working.tsx";
import type { Imported } from "../../vault/api.ts";

const spans = { month: 31, year: 366, all: 0 } as const; // days
type Span = keyof typeof spans;

const since = (s: Span): string => (s === "all" ? "" : new Date(Date.now() - spans[s] * 86_400_000).toISOString().slice(0, 10));

export function Import() {
  const w = words.value.import;
  const [file, setFile] = useState<File | null>(null);
  const [span, setSpan] = useState<Span>("month");
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState<Imported | null>(null);
  const [error, setError] = useState("");
  const id = useId();
  useEffect(() => {
    if (!busy) return;
    const awake = setInterval(() => vault.card().catch(explain), 30_000); // it was asked for, and doesn't end because nobody touches the screen
    return () => clearInterval(awake);
  }, [busy]);
  const act = () => {
    if (!file) return setError(w.missing);
    setBusy(true);
    setDone(null);
    vault
      .importReadings({ file, since: since(span) })
      .then((r) => {
        setDone(r);
        return refresh(false, true);
      })
      .catch((e: unknown) => tell(explain(e), true))
      .finally(() => {
        progress.value = null;
        setBusy(false);
      });
  };
  return (
    <div class="page">
      <Title back="/record">{w.title}</Title>
      <p class="lead">{w.why}</p>
      <ol class="how">
        {[w.how1, w.how2, w.how3].map((s) => (
          <li key={s}>{s}</li>
        ))}
      </ol>
      <div class="field">
        <label for={id}>{w.file}</label>
        <input
          id={id}
          type="file"
          accept=".xml,text/xml,application/xml"
          aria-describedby={`${id}-hint`}
          onChange={(e) => {
            setFile(e.currentTarget.files?.[0] ?? null);
            setError("");
          }}
        />
        <p id={`${id}-hint`} class={error ? "hint bad" : "hint"}>
          {error || w.fileHint}
        </p>
      </div>
      <Choice
        title={w.span}
        value={span}
        set={(v: Span) => setSpan(v)}
        options={(Object.keys(spans) as Span[]).map((s) => ({ value: s, label: w.spans[s] }))}
      />
      <Button tone="main" icon="watch" busy={busy} onClick={act}>
        {w.start}
      </Button>
      {busy && <Working />}
      <div role="status">
        {done && (
          <div class="card text">
            <p>
              <Icon name="check" /> {count(w.written, done.written)}
            </p>
            {done.known > 0 && <p>{count(w.known, done.known)}</p>}
            {done.left > 0 && <p>{count(w.left, done.left)}</p>}
          </div>
        )}
      </div>
    </div>
  );
}
