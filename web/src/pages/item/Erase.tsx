/** "Delete …": an entry with all its versions and files. */
import { useState } from "preact/hooks";
import { replace } from "../../app/route.ts";
import { chart } from "../../app/store.ts";
import { attachments } from "../../fhir/attachments.ts";
import type { Item } from "../../fhir/item.ts";
import type { FhirResource } from "../../fhir/read.ts";
import { words } from "../../i18n/index.ts";
import { Button } from "../../ui/parts.tsx";
import { EraseSheet } from "../erase/EraseSheet.tsx";

/** Keys of the files that a version of the entry has in records of their own. */
function filesOf(i: Item): string[] {
  const all = i.row.versions
    .filter((v) => v.json)
    .flatMap((v) => attachments({ ...i, fhir: JSON.parse(v.json) as FhirResource }, chart.value?.resources ?? []));
  return [...new Set(all.flatMap((a) => a.binary?.key ?? []))].filter((k) => k !== i.key);
}

export function Erase({ item: i }: { item: Item }) {
  const w = words.value.erase;
  const [asked, setAsked] = useState(false);
  const files = asked ? filesOf(i) : [];
  return (
    <div class="stack ends">
      <Button icon="trash" onClick={() => setAsked(true)}>
        {w.open}
      </Button>
      {asked && (
        <EraseSheet
          title={w.title}
          of={{ keys: [i.key, ...files] }}
          files={files.length}
          close={() => setAsked(false)}
          done={(how) => how === "destroy" && replace("/more/deleted")}
        />
      )}
    </div>
  );
}
