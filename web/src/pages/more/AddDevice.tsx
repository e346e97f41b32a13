/** Another device gets the keys: its code, the number that both show, and the passphrase. */

import { useEffect, useState } from "preact/hooks";
import { go } from "../../app/route.ts";
import { explain, progress, tell, vault } from "../../app/store.ts";
import { words } from "../../i18n/index.ts";
import { Button, Passphrase } from "../../ui/parts.tsx";
import { CodeForm } from "../start/CodeForm.tsx";
import { Digits } from "../start/Digits.tsx";
import { Form } from "../start/Form.tsx";

export function AddDevice() {
  const w = words.value.pairing;
  const [typed, setTyped] = useState("");
  const [number, setNumber] = useState("");
  const [pass, setPass] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => () => void vault.endPairing(), []);
  const attempt = async (act: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setError("");
    try {
      await act();
    } catch (e) {
      setError(explain(e));
    } finally {
      setBusy(false);
      progress.value = null;
    }
  };
  const leave = () => go("/more/keys");
  if (!number)
    return (
      <CodeForm
        title={w.enter}
        why={w.enterWhy}
        label={w.field}
        act={w.next}
        link="vitalog:pair?"
        typed={typed}
        set={setTyped}
        error={error}
        busy={busy}
        back={leave}
        run={(code) => void attempt(async () => setNumber((await vault.meetPairing({ code })).number))}
      />
    );
  return (
    <>
      <Form
        title={w.ask}
        why={w.askWhy}
        act={w.give}
        busy={busy}
        submit={() =>
          void attempt(async () => {
            await vault.givePairing({ passphrase: pass });
            tell(w.given);
            leave();
          })
        }
      >
        <Digits number={number} />
        <Passphrase label={words.value.start.pass} value={pass} set={setPass} error={error} />
      </Form>
      <div class="start after">
        <Button onClick={leave}>{w.differs}</Button>
      </div>
    </>
  );
}
