/** A code by which somebody without an account reads a part of the record: what it opens, until when, how often it was opened. */
import { useState } from "preact/hooks";
import { vault } from "../../app/store.ts";
import { count, fill, say, time, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Button, Chip, Go } from "../../ui/parts.tsx";
import type { Link } from "../../vault/api.ts";
import { Stop } from "./Stop.tsx";
import { sectionsText } from "./terms.tsx";

/** Whether it can still be opened. */
export const opens = (l: Link): boolean => l.state === "in-force" && l.until > Date.now();

export function CodeCard({ link: l }: { link: Link }) {
  const w = words.value.codes;
  return (
    <article class="card sharer">
      <h3>
        <Icon name="key" />
        <bdi>{l.label || w.yours}</bdi>
      </h3>
      <Terms link={l} />
      {opens(l) && (
        <div class="pair">
          <Go to="/sharing/code" of={l.id} class="button quiet">
            {w.show}
            <span class="unseen"> {l.label || w.yours}</span>
          </Go>
          <StopCode link={l} />
        </div>
      )}
    </article>
  );
}

/** What a code comes to. */
export function Terms({ link: l }: { link: Link }) {
  const w = words.value.codes;
  const state = l.state === "locked" ? w.locked : words.value.states[l.state === "in-force" && !opens(l) ? "expired" : l.state];
  return (
    <div class="bundle">
      <p class="bundle-what">{say(words.value.sharing.sees, { what: <strong>{sectionsText(l.sections)}</strong> })}</p>
      <p class="row-chips">
        {opens(l) ? <Chip>{fill(words.value.sharing.until, { day: time(l.until, "minute") })}</Chip> : <Chip icon="cross">{state}</Chip>}
        <Chip>{fill(w.opened, { used: l.used, of: l.uses })}</Chip>
        {l.wrong > 0 && (
          <Chip tone="bad" icon="alert">
            {count(w.wrong, l.wrong)}
          </Chip>
        )}
      </p>
    </div>
  );
}

export function StopCode({ link: l }: { link: Link }) {
  const w = words.value.codes;
  const [asked, setAsked] = useState(false);
  return (
    <>
      <Button tone="danger" onClick={() => setAsked(true)}>
        {words.value.sharing.stop}
        <span class="unseen"> {l.label || w.yours}</span>
      </Button>
      {asked && (
        <Stop
          title={w.stopTitle}
          why={w.stopWhy}
          act={words.value.sharing.stopDo}
          stop={() => vault.stop({ grants: [l.id] })}
          close={() => setAsked(false)}
        />
      )}
    </>
  );
}
