/** What the person takes, took, and must not take. */
import { items } from "../app/store.ts";
import type { Item } from "../fhir/item.ts";
import { type Medicine, medicines, standing } from "../fhir/medicines.ts";
import { labels } from "../fhir/read.ts";
import { fill, say, time, words } from "../i18n/index.ts";
import { Chip, Empty, Part, RowLink, Title } from "../ui/parts.tsx";

export function Medicines() {
  const w = words.value.medicines;
  const all = medicines(items.value);
  const now = all.filter((m) => m.active);
  const past = all.filter((m) => !m.active);
  const allergies = standing(items.value, "allergy");
  const conditions = standing(items.value, "condition");
  return (
    <div class="page">
      <Title back="/more">{w.title}</Title>
      <Part title={w.allergies}>
        {allergies.length === 0 ? (
          <p class="quiet">{w.noAllergies}</p>
        ) : (
          <ul class="card rows">
            {allergies.map((a) => (
              <Allergy key={a.key} item={a} />
            ))}
          </ul>
        )}
      </Part>
      <Part title={w.now}>
        {now.length === 0 ? (
          <Empty icon="pill">{w.empty}</Empty>
        ) : (
          <ul class="card rows">
            {now.map((m) => (
              <Taken key={m.item.key} medicine={m} />
            ))}
          </ul>
        )}
      </Part>
      {past.length > 0 && (
        <Part title={w.past}>
          <ul class="card rows">
            {past.map((m) => (
              <Taken key={m.item.key} medicine={m} />
            ))}
          </ul>
        </Part>
      )}
      {conditions.length > 0 && (
        <Part title={w.conditions}>
          <ul class="card rows">
            {conditions.map((c) => (
              <RowLink key={c.key} to="/record/item" of={c.key} icon="record" title={<bdi>{c.title}</bdi>} more={time(c.at)} />
            ))}
          </ul>
        </Part>
      )}
    </div>
  );
}

function Allergy({ item: a }: { item: Item }) {
  const w = words.value.medicines;
  const r = a.fhir.resourceType === "AllergyIntolerance" ? a.fhir : undefined;
  const severity = r?.reaction?.[0]?.severity;
  const reaction = labels(r?.reaction?.flatMap((x) => x.manifestation));
  return (
    <RowLink
      to="/record/item"
      of={a.key}
      icon="alert"
      title={<bdi>{a.title}</bdi>}
      more={reaction && say(w.reaction, { what: <bdi>{[reaction, severity ? w.severity[severity] : ""].filter(Boolean).join(", ")}</bdi> })}
      end={
        r?.criticality === "high" ? (
          <Chip tone="bad" icon="alert">
            {w.high}
          </Chip>
        ) : undefined
      }
    />
  );
}

function Taken({ medicine: m }: { medicine: Medicine }) {
  const w = words.value.medicines;
  const last = m.given[0];
  return (
    <RowLink
      to="/record/item"
      of={m.item.key}
      icon="pill"
      title={<bdi>{m.item.title}</bdi>}
      more={
        <>
          {m.item.value && (
            <span class="dose">
              <bdi>{m.item.value}</bdi>
            </span>
          )}
          {m.item.who && <span class="line-of">{say(w.prescribed, { who: <bdi>{m.item.who}</bdi>, day: time(m.item.at) })}</span>}
          {last && <span class="line-of">{say(w.last, { day: time(last.at), where: <bdi>{last.who || last.from}</bdi> })}</span>}
          {m.active && m.lasts > 0 && <span class="line-of">{fill(w.lasts, { day: time(m.lasts) })}</span>}
        </>
      }
    />
  );
}
