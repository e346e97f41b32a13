/** Before a record is open: new, claimed with a card, with the keys of another device, recovered from 24 words, unlock, recovery kit, and the first writing to the ledger. */

import { useEffect, useState } from "preact/hooks";
import { explain, network, progress, refresh, settle, state, vault } from "../app/store.ts";
import { count, fill, words } from "../i18n/index.ts";
import { Heading } from "../ui/Heading.tsx";
import { Icon } from "../ui/Icon.tsx";
import { LongField } from "../ui/LongField.tsx";
import { Button, Passphrase } from "../ui/parts.tsx";
import type { State } from "../vault/api.ts";
import { Claim } from "./start/Claim.tsx";
import { Form, Steps } from "./start/Form.tsx";
import { Kit } from "./start/Kit.tsx";
import { Pair } from "./start/Pair.tsx";
import { Unlock } from "./start/Unlock.tsx";

type Step = "welcome" | "fresh" | "recover" | "card" | "pair";

export function Start({ unreachable, retry }: { unreachable: string; retry(): void }) {
  const [step, setStep] = useState<Step>("welcome");
  const s = state.value;
  if (!s) return unreachable ? <Unreachable why={unreachable} retry={retry} /> : <Steps title={words.value.common.working} />;
  if (s.phase === "locked") return <Unlock />;
  if (s.phase === "open" && !s.kitSaved) return <Kit saved={(next) => void settle(next)} />;
  if (s.phase === "open" && s.claim !== "none") return <Claim going={s.claim === "going"} />;
  if (s.phase === "open") return <Enrol />;
  if (step === "fresh" || step === "card") return <Fresh claim={step === "card"} back={() => setStep("welcome")} />;
  if (step === "pair") return <Pair back={() => setStep("welcome")} />;
  if (step === "recover") return <Recover back={() => setStep("welcome")} />;
  return <Welcome pick={setStep} />;
}

function Welcome({ pick }: { pick(s: Step): void }) {
  const w = words.value.start;
  const n = network.value;
  return (
    <div class="start">
      <img class="mark" src="/icon.svg" alt="" width="64" height="64" />
      <Heading>{w.title}</Heading>
      <p class="lead">{w.intro}</p>
      <div class="stack">
        <Button tone="main" onClick={() => pick("fresh")}>
          {w.fresh}
        </Button>
        <Button onClick={() => pick("card")}>{w.card}</Button>
        <Button onClick={() => pick("pair")}>{w.other}</Button>
        <Button onClick={() => pick("recover")}>{w.recover}</Button>
      </div>
      {n && (
        <p class="fine">
          <Icon name="shield" /> <bdi>{fill(w.network, { name: n.name, members: count(w.members, n.members.length) })}</bdi>
        </p>
      )}
    </div>
  );
}

function Unreachable({ why, retry }: { why: string; retry(): void }) {
  const w = words.value.start;
  return (
    <div class="start">
      <Heading>{w.unreachable}</Heading>
      <p class="lead" role="alert">
        {why}
      </p>
      <Button tone="main" onClick={retry}>
        {w.again}
      </Button>
    </div>
  );
}

/** Runs what a form is for, and says why it failed. */
export function useAttempt(): [string, boolean, (act: () => Promise<State>) => void] {
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const attempt = (act: () => Promise<State>) => {
    if (busy) return;
    setBusy(true);
    setError("");
    act()
      .then(settle)
      .catch((e: unknown) => setError(explain(e)))
      .finally(() => setBusy(false));
  };
  return [error, busy, attempt];
}

function Fresh({ claim, back }: { claim: boolean; back(): void }) {
  const w = words.value.start;
  const [pass, setPass] = useState("");
  const [error, busy, attempt] = useAttempt();
  return (
    <Form
      title={w.passTitle}
      why={w.passWhy}
      back={back}
      submit={() => attempt(() => vault.create({ passphrase: pass, claim }))}
      act={w.passMake}
      busy={busy}
    >
      <Passphrase label={w.pass} hint={w.passHint} value={pass} set={setPass} error={error} fresh />
    </Form>
  );
}

function Recover({ back }: { back(): void }) {
  const w = words.value.start;
  const [typed, setTyped] = useState("");
  const [pass, setPass] = useState("");
  const [error, busy, attempt] = useAttempt();
  return (
    <Form
      title={w.wordsTitle}
      why={w.wordsWhy}
      back={back}
      submit={() => attempt(() => vault.recover({ words: typed, passphrase: pass }))}
      act={w.wordsOpen}
      busy={busy}
      error={error}
    >
      <LongField label={w.words} hint={w.wordsHint} value={typed} set={setTyped} exact="none" />
      <Passphrase label={w.passTitle} hint={w.passHint} value={pass} set={setPass} fresh />
    </Form>
  );
}

/** Makes the logs. It can be repeated: what is there already stays. */
function Enrol() {
  const w = words.value.start;
  const [error, setError] = useState("");
  const run = () => {
    setError("");
    vault
      .enrol()
      .then(() => settle())
      .then(() => refresh())
      .catch((e: unknown) => setError(explain(e)));
  };
  useEffect(run, []);
  const p = progress.value;
  if (error)
    return (
      <div class="start">
        <Heading>{w.enrolTitle}</Heading>
        <p class="lead" role="alert">
          {error}
        </p>
        <Button tone="main" onClick={run}>
          {w.again}
        </Button>
      </div>
    );
  return <Steps title={w.enrolTitle} why={w.enrolWhy} {...(p ? { now: w.steps[p.step], done: p.done, of: p.of } : {})} />;
}
