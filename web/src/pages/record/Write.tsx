/** A note of one's own, or a value measured at home, into the part of the record that is for that. */
import { useId, useState } from "preact/hooks";
import { replace } from "../../app/route.ts";
import { settled, state, vault } from "../../app/store.ts";
import { measurable, note, reading, typed, type What, whats, zoned } from "../../fhir/own.ts";
import { words } from "../../i18n/index.ts";
import { LongField } from "../../ui/LongField.tsx";
import { Button, Choice, Field, Title } from "../../ui/parts.tsx";

/** Now, as an input for local times has it. */
function now(): string {
  const d = new Date();
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function Write() {
  const w = words.value.write;
  const [what, setWhat] = useState<What | "note">("note");
  const [values, setValues] = useState(["", ""]);
  const [text, setText] = useState("");
  const [at, setAt] = useState(now());
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const id = useId();
  const parts = what === "note" ? [] : measurable[what].parts.length > 0 ? [w.upper, w.lower] : [w.values[what]];
  const save = async () => {
    const [when, read] = [zoned(at), parts.map((_, i) => typed(values[i] ?? ""))];
    if (!when || (what === "note" ? !text.trim() : read.some((v) => v === null)))
      return setError(what === "note" ? w.noteMissing : w.valueMissing);
    setBusy(true);
    const json =
      what === "note"
        ? note(state.value?.chart ?? "", w.note, text, when)
        : reading(what, read as string[], when, parts.length > 1 ? [w.values[what], ...parts] : parts);
    if (await settled(w.done, () => vault.write({ json, section: "patient-generated" }))) replace("/record");
    setBusy(false);
  };
  return (
    <div class="page">
      <Title back="/record">{w.title}</Title>
      <p class="lead">{w.why}</p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (!busy) void save();
        }}
      >
        <Choice
          title={w.what}
          value={what}
          set={(v: What | "note") => {
            setWhat(v);
            setError("");
          }}
          options={[{ value: "note", label: w.note }, ...whats.map((x) => ({ value: x, label: w.values[x] }))]}
        />
        {what === "note" && <LongField label={w.noteText} error={error} value={text} set={setText} most={10_000} />}
        {what !== "note" &&
          parts.map((label, i) => (
            <Field
              key={label}
              label={`${label} (${measurable[what].shown})`}
              value={values[i] ?? ""}
              set={(v) => setValues(values.map((x, n) => (n === i ? v : x)))}
              {...(error && i === parts.length - 1 ? { error } : {})}
            />
          ))}
        <div class="field">
          <label for={id}>{words.value.item.when}</label>
          <input id={id} type="datetime-local" value={at} max={now()} onInput={(e) => setAt(e.currentTarget.value)} />
        </div>
        <Button tone="main" type="submit" busy={busy}>
          {w.save}
        </Button>
      </form>
    </div>
  );
}
