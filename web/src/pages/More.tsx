/** Everything else, and the lock. */
import { settle, state, vault } from "../app/store.ts";
import { words } from "../i18n/index.ts";
import { Button, Part, RowLink, Title } from "../ui/parts.tsx";

export function More() {
  const w = words.value.more;
  return (
    <div class="page">
      <Title>{w.title}</Title>
      <Part title={w.health}>
        <ul class="card rows">
          <RowLink to="/vitals" icon="pulse" title={words.value.vitals.title} />
          <RowLink to="/medicines" icon="pill" title={words.value.medicines.title} />
          <RowLink to="/emergency" icon="card" title={words.value.emergency.title} />
        </ul>
      </Part>
      <Part title={w.yours}>
        <ul class="card rows">
          <RowLink to="/more/family" icon="person" title={words.value.family.title} />
          <RowLink to="/more/export" icon="download" title={w.export} />
          <RowLink to="/more/delete" icon="trash" title={words.value.erase.page} />
          <RowLink to="/more/deleted" icon="lock" title={words.value.erase.list} />
          <RowLink to="/more/keys" icon="key" title={w.keys} />
          <RowLink to="/more/notices" icon="alert" title={w.notices} />
          <RowLink to="/more/language" icon="globe" title={w.language} />
          <RowLink to="/more/about" icon="shield" title={w.about} />
        </ul>
      </Part>
      {state.value?.phase === "open" && (
        <div class="stack ends">
          <Button icon="lock" onClick={() => void vault.lock().then(settle)}>
            {w.lock}
          </Button>
        </div>
      )}
    </div>
  );
}
