/** This person's own code, which lets another share with them, and the code that comes back. */
import { useState } from "preact/hooks";
import { replace } from "../../app/route.ts";
import { explain, refresh, tell, vault } from "../../app/store.ts";
import { fill, words } from "../../i18n/index.ts";
import { Button, Field, Part, Title } from "../../ui/parts.tsx";
import { Shown, Taken } from "./Text.tsx";

export function Invite() {
  const w = words.value.family;
  const [name, setName] = useState("");
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const [wrong, setWrong] = useState(""); // with what came back
  const [busy, setBusy] = useState(false);
  const make = () => {
    if (name.trim() === "") return setError(w.needName);
    setError("");
    vault.invite({ name }).then(
      (i) => setText(i.text),
      (e: unknown) => setError(explain(e)),
    );
  };
  const take = async (answer: string) => {
    setBusy(true);
    setWrong("");
    try {
      const r = await vault.acceptProxy({ text: answer });
      tell(fill(w.taken, { who: r.name }));
      await refresh(false, true);
      replace("/more/family");
    } catch (e) {
      setWrong(explain(e));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class="page">
      <Title key={text} back="/more/family">
        {w.become}
      </Title>
      <p class="lead">{w.inviteWhy}</p>
      {text ? (
        <Shown text={text} label={w.inviteCode} />
      ) : (
        <>
          <Field label={w.name} hint={w.nameHint} error={error} value={name} set={setName} />
          <div class="stack">
            <Button tone="main" onClick={make}>
              {w.make}
            </Button>
          </div>
        </>
      )}
      <Part title={w.answer}>
        <Taken
          label={w.answer}
          hint={w.answerHint}
          begins="vitalog:proxied?"
          act={w.take}
          busy={busy}
          error={wrong}
          take={(t) => void take(t)}
        />
      </Part>
    </div>
  );
}
