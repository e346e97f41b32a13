/** The keys come from another device of the patient: its code here is read there, both show one number, and what comes is kept under a passphrase. */

import { useEffect, useState } from "preact/hooks";
import { explain, vault } from "../../app/store.ts";
import { words } from "../../i18n/index.ts";
import { Code } from "../../ui/Code.tsx";
import { Heading } from "../../ui/Heading.tsx";
import { Button, Passphrase } from "../../ui/parts.tsx";
import type { Offered } from "../../vault/api.ts";
import { useAttempt } from "../Start.tsx";
import { Digits } from "./Digits.tsx";
import { Form, Steps } from "./Form.tsx";

type At =
  | { step: "begin" }
  | { step: "code"; offered: Offered }
  | { step: "number"; number: string }
  | { step: "keep" }
  | { step: "over"; why: string };

export function Pair({ back }: { back(): void }) {
  const w = words.value.pairing;
  const [at, setAt] = useState<At>({ step: "begin" });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let here = true;
    const to = (next: At) => {
      if (here) setAt(next);
    };
    const run = async () => {
      to({ step: "code", offered: await vault.offerPairing() });
      to({ step: "number", number: await vault.pairingNumber() });
      await vault.pairingKeys();
      to({ step: "keep" });
    };
    run().catch((e: unknown) => here && to({ step: "over", why: explain(e) }));
    return () => {
      here = false;
      void vault.endPairing();
    };
  }, [round]);

  if (at.step === "begin") return <Steps title={w.title} />;
  if (at.step === "keep") return <Keep back={back} />;
  if (at.step === "over")
    return (
      <div class="start">
        <Heading>{w.title}</Heading>
        <p class="lead" role="alert">
          {at.why}
        </p>
        <div class="stack">
          <Button tone="main" onClick={() => setRound(round + 1)}>
            {w.fresh}
          </Button>
          <Button onClick={back}>{words.value.common.cancel}</Button>
        </div>
      </div>
    );
  if (at.step === "number")
    return (
      <div class="start" key="number">
        <Heading>{w.compare}</Heading>
        <Digits number={at.number} />
        <p class="lead" role="status">
          {w.compareWhy}
        </p>
        <Button onClick={back}>{words.value.common.cancel}</Button>
      </div>
    );
  return (
    <div class="start" key="code">
      <Heading>{w.title}</Heading>
      <p class="lead">{w.why}</p>
      <div class="card code">
        <Code text={at.offered.link} label={w.code} />
      </div>
      <div class="card folds">
        <details>
          <summary>{w.asText}</summary>
          <p>
            <code dir="ltr">{at.offered.code}</code>
          </p>
        </details>
      </div>
      <p class="fine" role="status">
        {w.lasts}
      </p>
      <Button onClick={back}>{words.value.common.cancel}</Button>
    </div>
  );
}

function Keep({ back }: { back(): void }) {
  const w = words.value.start;
  const [pass, setPass] = useState("");
  const [error, busy, attempt] = useAttempt();
  return (
    <Form
      title={w.passTitle}
      why={w.passWhy}
      back={back}
      submit={() => attempt(() => vault.keepPairing({ passphrase: pass }))}
      act={w.wordsOpen}
      busy={busy}
    >
      <Passphrase label={w.pass} hint={w.passHint} value={pass} set={setPass} error={error} fresh />
    </Form>
  );
}
