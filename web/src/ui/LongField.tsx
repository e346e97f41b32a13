/** A field for some sentences. */
import { useId } from "preact/hooks";

interface Props {
  label: string;
  value: string;
  set(v: string): void;
  hint?: string;
  error?: string;
  most?: number; // characters
}

export function LongField({ label, value, set, hint, error, most }: Props) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        rows={4}
        dir="auto"
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
