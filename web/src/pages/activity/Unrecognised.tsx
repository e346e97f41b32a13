/** "I don't recognise this": what one can do, and a question to the organisation, which is signed and tracked (spec/corrections.md). */
import { useState } from "preact/hooks";
import { corrections, state } from "../../app/store.ts";
import { complaint } from "../../fhir/corrections.ts";
import { say, words } from "../../i18n/index.ts";
import { Go } from "../../ui/parts.tsx";
import { AskedRow, Letter } from "../item/Wrong.tsx";
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
  const write = (text: string) => complaint(state.value?.chart ?? "", r, text, Date.now());
  return (
    <Letter
      title={w.title}
      label={say(w.text, { who }).join("")}
      hint={w.textHint}
      missing={w.textMissing}
      section={r.section}
      to={who}
      write={write}
      close={close}
    >
      <p>{say(w.why, { who: <bdi>{who}</bdi> })}</p>
      <p>
        {w.stop} <Go to="/sharing">{words.value.sharing.title}</Go>
      </p>
    </Letter>
  );
}
