/** The code that the person needs once, to find what was shared with them. */
import { useEffect, useState } from "preact/hooks";
import { place } from "../../app/route.ts";
import { explain, grants, vault } from "../../app/store.ts";
import { say, words } from "../../i18n/index.ts";
import { Title } from "../../ui/parts.tsx";
import { Shown } from "./Text.tsx";

export function AnswerCode() {
  const w = words.value.family;
  const id = place.value.of;
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  useEffect(() => {
    vault.answerProxy({ id }).then(
      (a) => setText(a.text),
      (e: unknown) => setError(explain(e)),
    );
  }, [id]);
  const to = (grants.value ?? []).find((g) => g.to.kind === "proxy" && g.to.id === id)?.to;
  return (
    <div class="page">
      <Title back="/more/family">{w.answerTitle}</Title>
      <p class="lead">{say(w.answerWhy, { who: <bdi>{to?.kind === "proxy" ? to.name : ""}</bdi> })}</p>
      {text && <Shown text={text} label={w.answerCode} />}
      <p class="hint bad" role="alert">
        {error}
      </p>
    </div>
  );
}
