/** How new and how well proven what is shown is; a press looks for news. */
import { chart, refresh, syncing, trouble } from "../app/store.ts";
import { fill, time, words } from "../i18n/index.ts";
import { Icon } from "./Icon.tsx";

export function Upto() {
  const c = chart.value;
  const w = words.value.common;
  return (
    <div class="upto">
      {trouble.value ? (
        <p class="bad" role="alert">
          <Icon name="alert" />
          {words.value.failures[trouble.value]}
        </p>
      ) : (
        c && (
          <p>
            <Icon name="shield" />
            <span>
              {c.upTo > 0 && <span>{fill(w.synced, { time: time(c.upTo, "minute") })}</span>}
              <span>{fill(w.proven, { signed: c.signed, of: c.of })}</span>
            </span>
          </p>
        )
      )}
      <button type="button" class={syncing.value ? "round turning" : "round"} onClick={() => void refresh(true)} aria-label={w.refresh}>
        <Icon name="refresh" />
      </button>
    </div>
  );
}
