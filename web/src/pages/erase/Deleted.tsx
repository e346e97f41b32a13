/** What was blocked or destroyed, as the ledger has it. */
import { useEffect, useState } from "preact/hooks";
import { save } from "../../app/save.ts";
import { chart, explain, tell, vault } from "../../app/store.ts";
import { count, fill, list, say, time, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Loading } from "../../ui/Loading.tsx";
import { Button, Empty, Title } from "../../ui/parts.tsx";
import type { Certified, Erased } from "../../vault/api.ts";
import { partyName } from "../activity/AccessRow.tsx";

export function Deleted() {
  const w = words.value.erase;
  const [all, setAll] = useState<Erased[] | null>(null);
  const [shown, setShown] = useState(10);
  useEffect(() => {
    vault.erased().then(setAll, (e: unknown) => tell(explain(e), true));
  }, [chart.value]);
  return (
    <div class="page">
      <Title back="/more">{w.list}</Title>
      <p class="lead">{w.listWhy}</p>
      {!all ? (
        <Loading />
      ) : all.length === 0 ? (
        <Empty icon="trash">{w.none}</Empty>
      ) : (
        <ul class="deeds">
          {all.slice(0, shown).map((e) => (
            <Deed key={e.id} erased={e} />
          ))}
        </ul>
      )}
      {all && all.length > shown && <Button onClick={() => setShown(shown + 20)}>{words.value.common.more}</Button>}
    </div>
  );
}

function Deed({ erased: e }: { erased: Erased }) {
  const w = words.value.erase;
  const records = e.parts.reduce((n, p) => n + p.records, 0);
  return (
    <li class="card text deed">
      <h2>
        <Icon name={e.how === "block" ? "lock" : "trash"} /> {w.kinds[e.how]}
      </h2>
      <p>
        {count(words.value.common.records, records)}: {list(e.parts.map((p) => words.value.sections[p.section]))}
      </p>
      {e.by.kind !== "patient" && <p>{say(w.by, { who: <bdi>{partyName(e.by)}</bdi> })}</p>}
      <p class="quiet">
        {time(e.at, "minute")} · {fill(words.value.common.final, { block: String(e.block) })}
      </p>
      {e.how === "destroy" && <Members erased={e} />}
    </li>
  );
}

const pause = 10_000; // ms until members that have not deleted yet are asked about again

let last: Promise<unknown> = Promise.resolve();

/** One after the other: the home member has others to answer. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const mine = last.then(work, work);
  last = mine;
  return mine;
}

/** What each member has said of it, held against the genesis. */
function Members({ erased: e }: { erased: Erased }) {
  const w = words.value.erase;
  const [found, setFound] = useState<Certified | null>(null);
  const [error, setError] = useState("");
  const look = () => {
    setError("");
    inTurn(() => vault.certificate({ orders: e.orders })).then(setFound, (x: unknown) => setError(explain(x)));
  };
  useEffect(look, [e]);
  useEffect(() => {
    if (!found || found.members.every((m) => m.deleted > 0)) return;
    const again = setTimeout(look, pause);
    return () => clearTimeout(again);
  }, [found]);
  if (!found) return <p role="status">{error || words.value.common.working}</p>;
  const states = found.members.map((m) => ({ ...m, keeps: keptUntil(e, m.number) }));
  const gone = states.filter((m) => m.deleted > 0 && m.keeps === 0).length;
  const keep = () => {
    const name = `vitalog-deleted-${new Date(e.at).toISOString().slice(0, 10)}.cert`;
    save(found.file, name);
    tell(fill(words.value.more.saved, { file: name }));
  };
  return (
    <>
      <p class="verified">
        <Icon name="shield" />
        <span>{gone === states.length ? w.gone : fill(w.goes, { n: gone, of: states.length })}</span>
      </p>
      <dl class="facts">
        {states.map((m) => (
          <div key={m.number}>
            <dt>
              <bdi>{m.name}</bdi>
            </dt>
            <dd>
              {m.keeps > 0
                ? fill(w.keeps, { day: time(m.keeps) })
                : m.deleted > 0
                  ? fill(w.goneOn, { day: time(m.deleted, "minute") })
                  : w.waits}
            </dd>
          </div>
        ))}
      </dl>
      <Button icon="download" onClick={keep}>
        {w.certificate}
      </Button>
      <p class="hint">{w.certificateWhy}</p>
    </>
  );
}

/** Until when a member keeps a copy of its own; 0: it keeps none. */
function keptUntil(e: Erased, member: number): number {
  const k = e.kept.find((x) => x.by.kind === "member" && x.by.number === member);
  return k && k.until > Date.now() ? k.until : 0;
}
