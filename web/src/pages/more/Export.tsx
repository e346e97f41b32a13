/** Everything as files: the record as FHIR, and the log of accesses with its proofs. */
import { useState } from "preact/hooks";
import { save } from "../../app/save.ts";
import { explain, tell, vault } from "../../app/store.ts";
import { fill, words } from "../../i18n/index.ts";
import { Button, Part, Title } from "../../ui/parts.tsx";

type What = "record" | "activity";
const files: Record<What, string> = { record: "vitalog-record", activity: "vitalog-activity" };

export function useExport(): [boolean, (what: What) => void] {
  const [busy, setBusy] = useState(false);
  const act = (what: What) => {
    setBusy(true);
    (what === "record" ? vault.exportRecord() : vault.exportActivity())
      .then((b) => {
        const name = `${files[what]}-${new Date().toISOString().slice(0, 10)}.json`;
        save(b, name);
        tell(fill(words.value.more.saved, { file: name }));
      })
      .catch((e: unknown) => tell(explain(e), true))
      .finally(() => setBusy(false));
  };
  return [busy, act];
}

export function Export() {
  const w = words.value.more;
  const [busy, act] = useExport();
  return (
    <div class="page">
      <Title back="/more">{w.export}</Title>
      <p class="lead">{w.exportWhy}</p>
      <Part title={w.exportRecord}>
        <p class="quiet">{w.exportRecordWhy}</p>
        <Button icon="download" busy={busy} onClick={() => act("record")}>
          {w.exportRecord}
        </Button>
      </Part>
      <Part title={w.exportActivity}>
        <p class="quiet">{w.exportActivityWhy}</p>
        <Button icon="download" busy={busy} onClick={() => act("activity")}>
          {w.exportActivity}
        </Button>
      </Part>
      <p class="hint">{w.exportWarn}</p>
    </div>
  );
}
