/** A chart that is claimed with a card: its code, and how far the handing over has come. The code is handed to the vault and goes with the page. */

import { useEffect, useRef, useState } from "preact/hooks";
import { explain, progress, refresh, settle, state, tell, vault } from "../../app/store.ts";
import { fill, number, words } from "../../i18n/index.ts";
import { Heading } from "../../ui/Heading.tsx";
import { Button } from "../../ui/parts.tsx";
import { CodeForm } from "./CodeForm.tsx";
import { Steps } from "./Form.tsx";

/** going: what is left needs no card. */
export function Claim({ going }: { going: boolean }) {
  const w = words.value.start;
  const [busy, setBusy] = useState(going);
  const [error, setError] = useState("");
  const [typed, setTyped] = useState(""); // it stays when one character was wrong
  const begun = useRef(false);
  const run = async (card?: string) => {
    setBusy(true);
    setError("");
    try {
      const c = await vault.claim(card === undefined ? {} : { card });
      tell(fill(w.claimDone, { opens: number(c.opens), records: number(c.records) }));
      await settle();
      void refresh();
    } catch (e) {
      setError(explain(e));
      state.value = await vault.state(); // it may need no card any more
    } finally {
      setBusy(false);
      progress.value = null;
    }
  };
  useEffect(() => {
    if (!going || begun.current) return;
    begun.current = true;
    void run();
  }, [going]);
  const p = progress.value;
  if (busy) return <Steps title={w.claimGoing} why={w.claimGoingWhy} {...(p ? { now: w.steps[p.step], done: p.done, of: p.of } : {})} />;
  if (!going) return <Code typed={typed} set={setTyped} error={error} run={(card) => void run(card)} />;
  return (
    <div class="start">
      <Heading>{w.claimGoing}</Heading>
      <p class="lead" role="alert">
        {error}
      </p>
      <Button tone="main" onClick={() => void run()}>
        {w.again}
      </Button>
    </div>
  );
}

function Code({ typed, set, error, run }: { typed: string; set(typed: string): void; error: string; run(card: string): void }) {
  const w = words.value.start;
  const instead = () =>
    vault
      .enrol()
      .then(() => settle())
      .then(() => refresh())
      .catch((e: unknown) => tell(explain(e), true));
  return (
    <>
      <CodeForm
        title={w.claimTitle}
        why={w.claimWhy}
        label={w.claimCode}
        act={w.claimDo}
        link="vitalog:claim?"
        typed={typed}
        set={set}
        error={error}
        run={run}
      />
      <p class="start after">
        <button type="button" class="link" onClick={() => void instead()}>
          {w.claimInstead}
        </button>
      </p>
    </>
  );
}
