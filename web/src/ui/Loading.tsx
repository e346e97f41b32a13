/** Where something will be, of about its height. */
import { words } from "../i18n/index.ts";

export function Loading() {
  return (
    <div class="loading" aria-busy="true">
      <p role="status">{words.value.common.loading}</p>
      <div class="bone" />
      <div class="bone" />
      <div class="bone" />
    </div>
  );
}
