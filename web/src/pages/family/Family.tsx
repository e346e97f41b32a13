/** Who reads for this person, and for whom this person reads. */
import { useEffect, useState } from "preact/hooks";
import { explain, grants, tell, vault } from "../../app/store.ts";
import { fill, time, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Empty, Go, Part, RowLink, Title } from "../../ui/parts.tsx";
import type { ReadsFor } from "../../vault/api.ts";
import { live, sharers } from "../sharing/bundle.ts";
import { sectionsText } from "../sharing/terms.tsx";

export function Family() {
  const w = words.value.family;
  const mine = sharers((grants.value ?? []).filter((g) => live(g) && g.to.kind === "proxy"));
  const [theirs, setTheirs] = useState<ReadsFor[]>([]);
  useEffect(() => {
    vault.readsAll().then(setTheirs, (e: unknown) => tell(explain(e), true));
  }, []);
  return (
    <div class="page">
      <Title back="/more">{w.title}</Title>
      <p class="lead">{w.why}</p>
      <Part title={w.mine}>
        {mine.length === 0 ? (
          <Empty icon="person">{w.nobody}</Empty>
        ) : (
          <ul class="card rows">
            {mine.flatMap((s) =>
              s.bundles.map((b) => (
                <RowLink
                  key={`${s.id} ${b.id}`}
                  to="/sharing"
                  icon="person"
                  title={<bdi>{s.party.kind === "proxy" ? s.party.name : ""}</bdi>}
                  more={`${sectionsText(b.grants.map((g) => g.section))} · ${
                    b.until ? fill(words.value.sharing.until, { day: time(b.until) }) : words.value.sharing.untilStopped
                  }`}
                />
              )),
            )}
          </ul>
        )}
        <div class="stack wide">
          <Go to="/more/family/new" class="button main">
            <Icon name="plus" />
            {w.add}
          </Go>
        </div>
      </Part>
      <Part title={w.theirs}>
        {theirs.length === 0 ? (
          <Empty icon="record">{w.forNobody}</Empty>
        ) : (
          <ul class="card rows">
            {theirs.map((r) => (
              <RowLink
                key={r.id}
                to="/more/family/read"
                of={r.id}
                icon="record"
                title={<bdi>{fill(w.open, { who: r.name })}</bdi>}
                more={sectionsText(r.sections)}
              />
            ))}
          </ul>
        )}
        <div class="stack wide">
          <Go to="/more/family/invite" class="button quiet">
            <Icon name="code" />
            {w.become}
          </Go>
        </div>
      </Part>
    </div>
  );
}
