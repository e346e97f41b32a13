/** How far a longer deed of the vault is. */
import { progress } from "../app/store.ts";
import { number, words } from "../i18n/index.ts";

export function Working() {
  const p = progress.value;
  const steps = words.value.start.steps;
  const share = p && p.of > 0 ? Math.min(100, Math.floor((100 * p.done) / p.of)) : 0;
  return (
    <div class="field">
      <progress max={100} value={share} aria-label={p ? steps[p.step] : words.value.common.working} />
      <p class="quiet">
        {p ? steps[p.step] : words.value.common.working} {number(share)} %
      </p>
    </div>
  );
}
