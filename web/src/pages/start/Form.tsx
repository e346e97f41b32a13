/** The frame of the start page's forms, and of its moments of waiting. */

import type { ComponentChildren } from "preact";
import { words } from "../../i18n/index.ts";
import { Heading } from "../../ui/Heading.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { Button } from "../../ui/parts.tsx";

interface FormProps {
  title: string;
  why: string;
  act: string;
  busy: boolean;
  error?: string;
  back?: () => void;
  submit(): void;
  children: ComponentChildren;
}

export function Form({ title, why, act, busy, error, back, submit, children }: FormProps) {
  return (
    <form
      class="start"
      onSubmit={(e) => {
        e.preventDefault();
        submit();
      }}
    >
      {back && (
        <button type="button" class="back" onClick={back}>
          <Icon name="back" />
          {words.value.common.back}
        </button>
      )}
      <Heading>{title}</Heading>
      <p class="lead">{why}</p>
      {children}
      <p class="hint bad" role="alert">
        {error}
      </p>
      <div class="stack">
        <Button tone="main" type="submit" busy={busy}>
          {act}
        </Button>
      </div>
    </form>
  );
}

export function Steps({ title, why, now, done, of }: { title: string; why?: string; now?: string; done?: number; of?: number }) {
  return (
    <div class="start waiting" aria-busy="true">
      <Heading>{title}</Heading>
      {why && <p class="lead">{why}</p>}
      <progress aria-label={now ?? title} {...(of ? { max: of, value: done ?? 0 } : {})} />
      <p class="fine" role="status">
        {now}
      </p>
    </div>
  );
}
