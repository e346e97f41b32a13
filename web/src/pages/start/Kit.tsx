/** The recovery kit: 24 words on paper, and three of them typed back. The words are asked of the vault here and kept nowhere. */

import { useEffect, useState } from "preact/hooks";
import { explain, vault } from "../../app/store.ts";
import { fill, number, words } from "../../i18n/index.ts";
import { Heading } from "../../ui/Heading.tsx";
import { Button, Field } from "../../ui/parts.tsx";
import type { State } from "../../vault/api.ts";
import { Form, Steps } from "./Form.tsx";

/** Three places of 24, drawn anew each time, in order. */
function draw(): number[] {
  const places = new Set<number>();
  while (places.size < 3) places.add(1 + (crypto.getRandomValues(new Uint8Array(1))[0]! % 24));
  return [...places].sort((a, b) => a - b);
}

export function WordList({ list }: { list: string[] }) {
  return (
    <ol class="words" dir="ltr" aria-label={words.value.start.kitList}>
      {list.map((word, i) => (
        <li key={word + String(i)}>
          <span class="place" aria-hidden="true">
            {number(i + 1)}
          </span>
          {word}
        </li>
      ))}
    </ol>
  );
}

export function Kit({ saved }: { saved(s: State): void }) {
  const w = words.value.start;
  const [list, setList] = useState<string[]>([]);
  const [places, setPlaces] = useState<number[]>([]);
  const [typed, setTyped] = useState<string[]>([]);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    vault.words({}).then(setList, (e: unknown) => setError(explain(e)));
  }, []);
  const check = async () => {
    setBusy(true);
    try {
      const right = await vault.confirmWords({ places, words: places.map((_, i) => (typed[i] ?? "").trim().toLowerCase()) });
      if (right) saved(await vault.state());
      else setError(w.checkWrong);
    } catch (e) {
      setError(explain(e));
    } finally {
      setBusy(false);
    }
  };
  if (list.length === 0 && !error) return <Steps title={w.kitTitle} />;
  if (places.length === 0)
    return (
      <div class="start kit">
        <Heading>{w.kitTitle}</Heading>
        <p class="lead">{w.kitWhy}</p>
        <WordList list={list} />
        <p class="hint bad" role="alert">
          {error}
        </p>
        <div class="stack unprinted">
          <Button tone="main" onClick={() => setPlaces(draw())}>
            {w.kitSaved}
          </Button>
          <Button icon="print" onClick={() => print()}>
            {w.kitPrint}
          </Button>
        </div>
      </div>
    );
  return (
    <Form
      title={w.checkTitle}
      why={w.checkWhy}
      act={w.checkDo}
      busy={busy}
      error={error}
      back={() => {
        setPlaces([]);
        setTyped([]);
        setError("");
      }}
      submit={() => void check()}
    >
      {places.map((p, i) => (
        <Field
          key={p}
          label={fill(w.checkWord, { n: p })}
          value={typed[i] ?? ""}
          set={(v) => setTyped(places.map((_, j) => (j === i ? v : (typed[j] ?? ""))))}
        />
      ))}
    </Form>
  );
}
