/** Stands above somebody else's record. */
import { another } from "../../app/store.ts";
import { say, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Go } from "../../ui/parts.tsx";

/** Whose record it is, when it is not the person's own. */
export function Whose() {
  const name = another.value?.name ?? "";
  const w = words.value.family;
  return (
    <section class="notice whose" aria-label={w.title}>
      <Icon name="person" />
      <div>
        <p>
          <strong>{say(w.reading, { who: <bdi>{name}</bdi> })}</strong>
        </p>
        <Go to="/" class="button quiet">
          {w.back}
        </Go>
      </div>
    </section>
  );
}
