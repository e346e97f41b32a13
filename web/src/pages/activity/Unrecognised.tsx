/** "I don't recognise this": what one can do, and a question to the organisation, which is signed and tracked (spec/corrections.md). */
import { useState } from "preact/hooks";
import { corrections, settled, state, vault } from "../../app/store.ts";
import { complaint, longest, placeOf } from "../../fhir/corrections.ts";
import { say, words } from "../../i18n/index.ts";
import { LongField } from "../../ui/LongField.tsx";
import { Button, Go } from "../../ui/parts.tsx";
import { Sheet } from "../../ui/Sheet.tsx";
import { AskedRow, Readers } from "../item/Wrong.tsx";
import { partyName } from "./AccessRow.tsx";
import type { Look } from "./looks.ts";

export function Unrecognised({ look }: { look: Look }) {
  const w = words.value.unrecognised;
  const [open, setOpen] = useState(false);
  const rows = new Set(look.rows.map((r) => r.id));
  const before = corrections.value.filter((c) => c.kind === "access" && rows.has(c.about));
  return (
    <>
      {before.length > 0 ? (
        <ul class="rows">
          {before.map((c) => (
            <AskedRow key={c.key} asked={c} />
          ))}
        </ul>
      ) : (
        <button type="button" class="link" onClick={() => setOpen(true)}>
          {w.open}
        </button>
      )}
      {open && <Form look={look} close={() => setOpen(false)} />}
    </>
  );
}

function Form({ look, close }: { look: Look; close(): void }) {
  const w = words.value.unrecognised;
  const r = look.first;
  const who = partyName(r.by);
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const send = async () => {
    if (!text.trim()) return setError(w.textMissing);
    setBusy(true);
    const json = complaint(state.value?.chart ?? "", r, text, Date.now());
    if (await settled(words.value.wrong.done, () => vault.write({ json, section: placeOf(r.section) }))) close();
    setBusy(false);
  };
  return (
    <Sheet title={w.title} close={close}>
      <p>{say(w.why, { who: <bdi>{who}</bdi> })}</p>
      <p>
        {w.stop} <Go to="/sharing">{words.value.sharing.title}</Go>
      </p>
      <LongField label={say(w.text, { who }).join("")} hint={w.textHint} error={error} value={text} set={setText} most={longest} />
      <Readers section={r.section} to={who} />
      <div class="stack">
        <Button tone="main" busy={busy} onClick={() => void send()}>
          {words.value.wrong.send}
        </Button>
        <Button onClick={close}>{words.value.common.cancel}</Button>
      </div>
    </Sheet>
  );
}
