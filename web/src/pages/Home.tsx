/** What needs the person, and the newest of everything. */
import { activity, chart, corrections, items, itemsByKey, waiting } from "../app/store.ts";

import { medicines, standing } from "../fhir/medicines.ts";
import { series } from "../fhir/series.ts";
import { count, say, time, words } from "../i18n/index.ts";
import { Chip, Empty, FlagChip, Go, Part, RowLink, Title, Value } from "../ui/parts.tsx";
import { Upto } from "../ui/Upto.tsx";
import { AccessRow, partyName } from "./activity/AccessRow.tsx";
import { looks, toReview } from "./activity/looks.ts";

const week = 7 * 86_400_000;

export function Home() {
  const w = words.value.home;
  const me = items.value.find((i) => i.kind === "person");
  const given = me?.fhir.resourceType === "Patient" ? me.fhir.name?.[0]?.given?.[0] : undefined;
  return (
    <div class="page">
      <Title>{given ? say(w.helloName, { name: <bdi>{given}</bdi> }) : w.hello}</Title>
      <Upto />
      <Needs />
      <Corrections />
      {items.value.length === 0 ? <First /> : <Newest />}
      <Part title={w.activity} action={<Go to="/activity">{words.value.common.all}</Go>}>
        {activity.value?.rows.length ? (
          <ul class="card rows">
            {looks(activity.value.rows)
              .slice(0, 3)
              .map((l) => (
                <AccessRow key={l.id} look={l} />
              ))}
          </ul>
        ) : (
          <p class="quiet">{w.noActivity}</p>
        )}
      </Part>
    </div>
  );
}

function Needs() {
  const w = words.value.home;
  const urgent = toReview(activity.value?.rows ?? [], new Set(corrections.value.map((c) => c.about)));
  const problems = chart.value?.problems.length ?? 0;
  if (waiting.value.length === 0 && urgent.length === 0 && problems === 0) return null;
  return (
    <Part title={w.needs}>
      <ul class="card rows needs">
        {waiting.value.map((r) => (
          <RowLink
            key={r.id}
            to="/sharing/request"
            of={r.id}
            icon="person"
            title={say(w.request, { who: <bdi>{r.person || partyName(r.from)}</bdi> })}
            more={w.answer}
          />
        ))}
        {urgent.slice(0, 3).map(({ id, first: r }) => (
          <RowLink
            key={id}
            to="/activity"
            icon="alert"
            title={w.emergency}
            more={say(w.emergencyBy, { who: <bdi>{[r.person, partyName(r.by)].filter(Boolean).join(", ")}</bdi>, day: time(r.at) })}
          />
        ))}
        {problems > 0 && <RowLink to="/record" icon="alert" title={count(w.problems, problems)} more={w.problemsDo} />}
      </ul>
    </Part>
  );
}

/** What was asked of authors and is open, or was answered in the last week. */
function Corrections() {
  const w = words.value.wrong;
  const shown = corrections.value.filter((c) => c.answered === 0 || c.answered > Date.now() - week);
  if (shown.length === 0) return null;
  return (
    <Part title={w.title}>
      <ul class="card rows">
        {shown.slice(0, 5).map((c) => (
          <RowLink
            key={c.key}
            to={c.kind === "entry" ? "/record/item" : "/activity"}
            of={c.kind === "entry" ? c.about : ""}
            icon={c.state === "corrected" ? "check" : c.state === "declined" ? "cross" : "note"}
            title={c.kind === "entry" ? <bdi>{itemsByKey.value.get(c.about)?.title ?? w.title}</bdi> : w.look}
            more={
              <>
                {w.states[c.state]} · <bdi>{c.to}</bdi>
              </>
            }
          />
        ))}
      </ul>
    </Part>
  );
}

function First() {
  const w = words.value.home;
  return (
    <div class="card first">
      <h2>{w.empty}</h2>
      <p>{w.emptyWhy}</p>
      <Go to="/sharing/new" class="button main">
        {w.shareFirst}
      </Go>
    </div>
  );
}

function Newest() {
  const w = words.value.home;
  const vitals = series(items.value)
    .filter((s) => s.kind === "vital")
    .slice(0, 4);
  const taken = medicines(items.value).filter((m) => m.active);
  const allergies = standing(items.value, "allergy");
  return (
    <>
      <Part title={w.vitals} action={<Go to="/vitals">{words.value.common.all}</Go>}>
        {vitals.length === 0 && <p class="quiet">{w.noVitals}</p>}
        <ul class="tiles">
          {vitals.map((s) => {
            const newest = s.items[0];
            return (
              <li key={s.code}>
                <Go to="/vitals/trend" of={s.code} class="card tile">
                  <span class="tile-name">
                    <bdi>{s.name}</bdi>
                  </span>
                  <span class="tile-value">
                    <Value text={newest?.value ?? ""} />
                  </span>
                  <span class="tile-foot">
                    {newest && <FlagChip flag={newest.flag} />}
                    <span>{newest && time(newest.at)}</span>
                  </span>
                </Go>
              </li>
            );
          })}
        </ul>
      </Part>
      <Part title={w.medicines} action={<Go to="/medicines">{words.value.common.all}</Go>}>
        {taken.length === 0 && allergies.length === 0 ? (
          <Empty icon="pill">{w.noMedicines}</Empty>
        ) : (
          <ul class="card rows">
            {taken.slice(0, 3).map((m) => (
              <RowLink
                key={m.item.key}
                to="/record/item"
                of={m.item.key}
                icon="pill"
                title={<bdi>{m.item.title}</bdi>}
                more={<bdi>{m.item.value}</bdi>}
              />
            ))}
            {allergies.slice(0, 2).map((a) => (
              <RowLink
                key={a.key}
                to="/record/item"
                of={a.key}
                icon="alert"
                title={<bdi>{a.title}</bdi>}
                more={words.value.kind.allergy}
                end={
                  a.fhir.resourceType === "AllergyIntolerance" && a.fhir.criticality === "high" ? (
                    <Chip tone="bad" icon="alert">
                      {words.value.medicines.high}
                    </Chip>
                  ) : undefined
                }
              />
            ))}
          </ul>
        )}
      </Part>
    </>
  );
}
