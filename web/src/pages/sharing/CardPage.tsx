/** The card that is shown at a desk: who has it can ask, not read. */
import { useEffect, useState } from "preact/hooks";
import { explain, state, vault } from "../../app/store.ts";
import { words } from "../../i18n/index.ts";
import { Code } from "../../ui/Code.tsx";
import { Title } from "../../ui/parts.tsx";

export function CardPage() {
  const w = words.value.sharing;
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  useEffect(() => {
    vault.card().then(
      (c) => setText(c.text),
      (e: unknown) => setError(explain(e)),
    );
  }, []);
  return (
    <div class="page">
      <Title back="/sharing">{w.card}</Title>
      <p class="lead">{w.cardWhy}</p>
      <div class="card code">{text && <Code text={text} label={w.cardCode} />}</div>
      <p class="hint bad" role="alert">
        {error}
      </p>
      {text && (
        <div class="card folds">
          <details>
            <summary>{w.cardText}</summary>
            <p>
              <code dir="ltr">{text}</code>
            </p>
            <p class="quiet">{w.chart}</p>
            <p>
              <code dir="ltr">{state.value?.chart}</code>
            </p>
          </details>
        </div>
      )}
    </div>
  );
}
