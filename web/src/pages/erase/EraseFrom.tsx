/** A part of the record, or all of it, is deleted: a copy first, then what. */
import { useEffect, useState } from "preact/hooks";
import { go } from "../../app/route.ts";
import { explain, tell, vault } from "../../app/store.ts";
import { count, fill, words } from "../../i18n/index.ts";
import { Button, Choice, Part, Title } from "../../ui/parts.tsx";
import type { Erasable, SectionName } from "../../vault/api.ts";
import { useExport } from "../more/Export.tsx";
import { EraseSheet } from "./EraseSheet.tsx";

type What = SectionName | "all" | ""; // "": not chosen yet

export function EraseFrom() {
  const w = words.value.erase;
  const [found, setFound] = useState<Erasable | null>(null);
  const [what, setWhat] = useState<What>("");
  const [asked, setAsked] = useState(false);
  const [busy, save] = useExport();
  useEffect(() => {
    vault.erasable({ of: { all: true } }).then(setFound, (e: unknown) => tell(explain(e), true));
  }, []);
  const parts = found?.parts ?? [];
  const name = (x: What) => (x === "" || x === "all" ? w.everything : words.value.sections[x]);
  const option = (value: What, n: number) => ({ value, label: `${name(value)} · ${count(words.value.record.found, n)}` });
  const all = parts.reduce((n, p) => n + p.resources, 0);
  return (
    <div class="page">
      <Title back="/more">{w.page}</Title>
      <p class="lead">{w.pageWhy}</p>
      <Part title={w.copy}>
        <p class="quiet">{w.copyWhy}</p>
        <Button icon="download" busy={busy} onClick={() => save("record")}>
          {words.value.more.exportRecord}
        </Button>
      </Part>
      {!found && <p role="status">{words.value.common.loading}</p>}
      {found && parts.length === 0 && <p>{w.nothing}</p>}
      {parts.length > 0 && (
        <Choice
          title={w.choose}
          value={what}
          set={(v: What) => setWhat(v)}
          options={[...parts.map((p) => option(p.section, p.resources)), option("all", all)]}
        />
      )}
      {what !== "" && (
        <Button tone="danger" icon="trash" onClick={() => setAsked(true)}>
          {w.open}
        </Button>
      )}
      {asked && what !== "" && (
        <EraseSheet
          title={fill(w.part, { what: name(what) })}
          of={what === "all" ? { all: true } : { section: what }}
          close={() => setAsked(false)}
          done={() => go("/more/deleted")}
        />
      )}
    </div>
  );
}
