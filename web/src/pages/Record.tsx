/** The record as it happened, with search and filters on this device. */
import { signal } from "@preact/signals";
import { useMemo, useState } from "preact/hooks";
import { another, chart, explain, items, refresh, state, tell, vault } from "../app/store.ts";
import { type Item, type Kind, kinds } from "../fhir/item.ts";
import { type Filter, type Group, timeline } from "../fhir/timeline.ts";
import { count, fill, time, words } from "../i18n/index.ts";
import { Icon } from "../ui/Icon.tsx";
import { Button, Empty, FlagChip, Go, Part, RowLink, Title, Toggles, Value } from "../ui/parts.tsx";
import { Upto } from "../ui/Upto.tsx";
import { partyName } from "./activity/AccessRow.tsx";
import { kindIcons } from "./kindIcons.ts";

/** What was looked for stays while the person looks at one entry and comes back; it is kept nowhere else. */
const filter = signal<Filter>({ words: "", kinds: new Set(), from: "" });
const shown = signal(20); // groups

const set = (f: Partial<Filter>) => {
  filter.value = { ...filter.value, ...f };
  shown.value = 20;
};

export function Record() {
  const w = words.value.record;
  const groups = useMemo(() => timeline(items.value, filter.value), [items.value, filter.value]);
  const n = groups.reduce((sum, g) => sum + g.items.length + (g.visit ? 1 : 0), 0);
  const narrowed = filter.value.words !== "" || filter.value.kinds.size > 0 || filter.value.from !== "";
  return (
    <div class="page">
      <Title>{w.title}</Title>
      {!another.value && <Own />}
      <Narrow />
      <p class="found" role="status">
        {count(w.found, n)}
        {narrowed && (
          <button type="button" class="link" onClick={() => set({ words: "", kinds: new Set(), from: "" })}>
            {w.clear}
          </button>
        )}
      </p>
      {n === 0 && <Empty icon="record">{narrowed ? w.nothing : w.empty}</Empty>}
      {groups.slice(0, shown.value).map((g) => (
        <Happened key={g.id} group={g} all={narrowed} />
      ))}
      {groups.length > shown.value && <Button onClick={() => (shown.value += 40)}>{w.earlier}</Button>}
      <Problems />
    </div>
  );
}

/** What only the owner of the record does. */
function Own() {
  return (
    <>
      <Upto />
      <div class="pair">
        <Go to="/record/new" class="button quiet">
          <Icon name="plus" />
          {words.value.write.open}
        </Go>
        <Go to="/record/import" class="button quiet">
          <Icon name="watch" />
          {words.value.write.import}
        </Go>
      </div>
    </>
  );
}

function Narrow() {
  const w = words.value.record;
  const have = new Set(items.value.map((i) => i.kind));
  const sources = [...new Set(items.value.map((i) => i.from).filter(Boolean))].sort();
  const press = (k: Kind) => {
    const next = new Set(filter.value.kinds);
    if (!next.delete(k)) next.add(k);
    set({ kinds: next });
  };
  return (
    <search class="narrow">
      <label class="unseen" for="search">
        {w.search}
      </label>
      <div class="searchbox">
        <Icon name="search" />
        <input
          id="search"
          type="search"
          autocomplete="off"
          spellcheck={false}
          placeholder={w.search}
          value={filter.value.words}
          onInput={(e) => set({ words: e.currentTarget.value })}
          aria-describedby="search-hint"
        />
      </div>
      <p id="search-hint" class="hint">
        {w.searchHint}
      </p>
      <Toggles
        title={w.filter}
        options={kinds
          .filter((k) => have.has(k) && k !== "person" && k !== "coverage")
          .map((k) => ({ value: k, label: words.value.kinds[k] }))}
        on={(k) => filter.value.kinds.has(k)}
        press={press}
      />
      {sources.length > 1 && (
        <div class="select">
          <label for="source">{w.from}</label>
          <select id="source" value={filter.value.from} onChange={(e) => set({ from: e.currentTarget.value })}>
            <option value="">{w.anybody}</option>
            {sources.map((s) => (
              <option key={s} value={s}>
                {s}
              </option>
            ))}
          </select>
        </div>
      )}
    </search>
  );
}

const few = 4;

/** A visit or a day. Long ones begin with a few entries. */
function Happened({ group, all }: { group: Group; all: boolean }) {
  const [open, setOpen] = useState(false);
  const v = group.visit;
  const whole = all || open || group.items.length <= few + 1;
  const listed = whole ? group.items : group.items.slice(0, few);
  return (
    <section class="happened">
      <h2>
        <span class="happened-day">{time(group.at)}</span>
        {v && (
          <Go to="/record/item" of={v.key} class="happened-visit">
            <bdi>{v.title || words.value.record.visit}</bdi>
          </Go>
        )}
      </h2>
      {v && (
        <p class="happened-who">
          <bdi>{[v.who, v.value || v.from].filter(Boolean).join(" · ")}</bdi>
        </p>
      )}
      {listed.length > 0 && (
        <ul class="card rows">
          {listed.map((i) => (
            <ItemRow key={i.key} item={i} />
          ))}
          {!whole && (
            <li>
              <button type="button" class="row more-in" onClick={() => setOpen(true)}>
                {count(words.value.record.moreIn, group.items.length - few)}
              </button>
            </li>
          )}
        </ul>
      )}
    </section>
  );
}

export function ItemRow({ item: i }: { item: Item }) {
  const source = i.from || i.version.author.device || another.value?.name || words.value.record.own;
  return (
    <RowLink
      to="/record/item"
      of={i.key}
      icon={kindIcons[i.kind]}
      title={<bdi>{i.title}</bdi>}
      more={
        <>
          {words.value.kind[i.kind]} · <bdi>{source}</bdi>
        </>
      }
      end={
        <>
          {i.parts.length > 0 && (
            <span class="value">
              <Value text={i.value} />
            </span>
          )}
          {i.flag !== "normal" && <FlagChip flag={i.flag} />}
        </>
      }
    />
  );
}

/** Records of the time before the claim that have no lock of the patient's yet: they are asked for again. */
function Locks() {
  const ask = () =>
    vault
      .claim({})
      .then(() => refresh(false, true))
      .catch((e: unknown) => tell(explain(e), true));
  return <Button onClick={() => void ask()}>{words.value.record.problemsLocks}</Button>;
}

function Problems() {
  const w = words.value.record;
  const all = chart.value?.problems ?? [];
  if (all.length === 0) return null;
  return (
    <Part title={w.problems}>
      <p class="quiet">{w.problemsWhy}</p>
      {state.value?.claim !== "none" && all.some((p) => p.why === "not-for-owner") && <Locks />}
      <ul class="card rows">
        {all.map((p) => (
          <li class="row" key={`${p.log}/${p.entry}`}>
            <span class="row-icon">
              <Icon name="alert" />
            </span>
            <span class="row-text">
              <span class="row-title">{w.problem[p.why]}</span>
              <span class="row-more">
                {words.value.sections[p.section]} · <bdi>{partyName(p.by)}</bdi> · {time(p.at)} ·{" "}
                {fill(words.value.activity.entry, { entry: String(p.entry), block: String(p.block) })}
              </span>
            </span>
          </li>
        ))}
      </ul>
    </Part>
  );
}
