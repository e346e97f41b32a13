/** The small parts that pages are made of. */

import type { ComponentChildren, TargetedInputEvent, TargetedMouseEvent } from "preact";
import { useId, useState } from "preact/hooks";
import { go } from "../app/route.ts";
import type { View } from "../app/views.ts";
import type { Flag } from "../fhir/measure.ts";
import { words } from "../i18n/index.ts";
import { Heading } from "./Heading.tsx";
import { Icon, type IconName } from "./Icon.tsx";

/** The page's one heading. It takes the focus when the person comes here. */
export function Title({ children, back }: { children: ComponentChildren; back?: View | undefined }) {
  return (
    <header class="title">
      {back && (
        <Go to={back} class="back">
          <Icon name="back" />
          {words.value.common.back}
        </Go>
      )}
      <Heading>{children}</Heading>
    </header>
  );
}

export function Part({ title, children, action }: { title: ComponentChildren; children: ComponentChildren; action?: ComponentChildren }) {
  const id = useId();
  return (
    <section class="part" aria-labelledby={id}>
      <div class="part-head">
        <h2 id={id}>{title}</h2>
        {action}
      </div>
      {children}
    </section>
  );
}

/** A link to a view of the app. */
export function Go({
  to,
  of,
  children,
  ...rest
}: {
  to: View;
  of?: string;
  children: ComponentChildren;
  class?: string;
  "aria-current"?: "page" | undefined;
}) {
  const follow = (e: TargetedMouseEvent<HTMLAnchorElement>) => {
    if (e.ctrlKey || e.metaKey || e.shiftKey || e.button !== 0) return;
    e.preventDefault();
    go(to, of);
  };
  return (
    <a href={to} onClick={follow} {...rest}>
      {children}
    </a>
  );
}

/** A line of a list that leads somewhere. */
export function RowLink({
  to,
  of,
  icon,
  title,
  more,
  end,
}: {
  to: View;
  of?: string;
  icon?: IconName;
  title: ComponentChildren;
  more?: ComponentChildren;
  end?: ComponentChildren;
}) {
  return (
    <li>
      <Go to={to} class="row" {...(of === undefined ? {} : { of })}>
        {icon && (
          <span class="row-icon">
            <Icon name={icon} />
          </span>
        )}
        <span class="row-text">
          <span class="row-title">{title}</span>
          {more && <span class="row-more">{more}</span>}
        </span>
        {end && <span class="row-end">{end}</span>}
        <Icon name="next" />
      </Go>
    </li>
  );
}

/** A value with its unit smaller. */
export function Value({ text }: { text: string }) {
  const cut = /^([\d.,/<>≤≥ ]+) (\S+)$/.exec(text);
  if (!cut) return <bdi>{text}</bdi>;
  return (
    <bdi class="quantity">
      {cut[1]} <span class="unit">{cut[2]}</span>
    </bdi>
  );
}

const flagIcons: Record<Exclude<Flag, "">, IconName> = {
  high: "up",
  low: "down",
  "critical-high": "up",
  "critical-low": "down",
  abnormal: "diamond",
  normal: "check",
};

/** Shape and word; colour only adds to them. */
export function FlagChip({ flag }: { flag: Flag }) {
  if (!flag) return null;
  return (
    <span class={`chip ${flag === "normal" ? "calm" : flag.startsWith("critical") ? "bad" : "warn"}`}>
      <Icon name={flagIcons[flag]} />
      {words.value.flags[flag]}
    </span>
  );
}

export function Chip({ icon, tone, children }: { icon?: IconName; tone?: "calm" | "warn" | "bad" | "plain"; children: ComponentChildren }) {
  return (
    <span class={`chip ${tone ?? "plain"}`}>
      {icon && <Icon name={icon} />}
      {children}
    </span>
  );
}

type ButtonProps = {
  children: ComponentChildren;
  tone?: "main" | "quiet" | "danger";
  icon?: IconName;
  busy?: boolean;
  type?: "button" | "submit";
  onClick?: () => void;
};

export function Button({ children, tone, icon, busy, type, onClick }: ButtonProps) {
  return (
    <button
      type={type ?? "button"}
      class={`button ${tone ?? "quiet"}`}
      aria-disabled={busy ? "true" : undefined}
      onClick={() => !busy && onClick?.()}
    >
      {icon && <Icon name={icon} />}
      {busy ? words.value.common.working : children}
    </button>
  );
}

export function Empty({ icon, children }: { icon: IconName; children: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <p>{children}</p>
    </div>
  );
}

interface FieldProps {
  label: string;
  value: string;
  set(v: string): void;
  hint?: string;
  error?: string;
}

export function Field({ label, value, set, hint, error }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        value={value}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        aria-describedby={`${id}-hint`}
        aria-invalid={error ? "true" : undefined}
        onInput={(e) => set(e.currentTarget.value)}
      />
      <p id={`${id}-hint`} class={error ? "hint bad" : "hint"}>
        {error || hint}
      </p>
    </div>
  );
}

/** A passphrase can be looked at before it is used: typing it twice is worse. */
export function Passphrase({ label, value, set, hint, error, fresh }: FieldProps & { fresh?: boolean }) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const common = {
    id,
    value,
    autocomplete: fresh ? "new-password" : "current-password",
    autocapitalize: "none",
    spellcheck: false,
    "aria-describedby": `${id}-hint`,
    "aria-invalid": error ? "true" : undefined,
    onInput: (e: TargetedInputEvent<HTMLInputElement>) => set(e.currentTarget.value),
  } as const;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {open ? <input type="text" {...common} /> : <input type="password" {...common} />}
      <p id={`${id}-hint`} class={error ? "hint bad" : "hint"}>
        {error || hint}
      </p>
      <Check label={words.value.start.passShow} on={open} set={setOpen} />
    </div>
  );
}

export function Check({ label, on, set }: { label: ComponentChildren; on: boolean; set(on: boolean): void }) {
  return (
    <label class="check">
      <input type="checkbox" checked={on} onChange={(e) => set(e.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}

export function Choice<T extends string | number>({
  title,
  value,
  set,
  options,
}: {
  title: string;
  value: T;
  set(v: T): void;
  options: { value: T; label: ComponentChildren }[];
}) {
  const name = useId();
  return (
    <fieldset class="choice">
      <legend>{title}</legend>
      {options.map((o) => (
        <label class="check" key={o.value}>
          <input type="radio" name={name} checked={o.value === value} onChange={() => set(o.value)} />
          <span>{o.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Buttons of which one, or any number, is pressed. */
export function Toggles<T extends string>({
  title,
  options,
  on,
  press,
}: {
  title: string;
  options: { value: T; label: string }[];
  on(v: T): boolean;
  press(v: T): void;
}) {
  return (
    <fieldset class="toggles">
      <legend class="unseen">{title}</legend>
      {options.map((o) => (
        <button type="button" key={o.value} class="toggle" aria-pressed={on(o.value)} onClick={() => press(o.value)}>
          {o.label}
        </button>
      ))}
    </fieldset>
  );
}
