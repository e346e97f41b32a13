/** A field for some sentences, or for a code or words of which every character counts. */
import { useId } from "preact/hooks";

interface Props {
  label: string;
  value: string;
  set(v: string): void;
  hint?: string;
  error?: string;
  most?: number; // characters
  exact?: "none" | "characters"; // how its letters are written: nothing is completed or corrected then
}

export function LongField({ label, value, set, hint, error, most, exact }: Props) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        rows={4}
        {...(exact ? ({ dir: "ltr", autocomplete: "off", autocapitalize: exact, spellcheck: false } as const) : ({ dir: "auto" } as const))}
        maxLength={most}
        value={value}
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
