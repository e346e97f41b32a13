/** The details of an entry, as pairs. */
import type { ComponentChildren } from "preact";
import type { Item } from "../../fhir/item.ts";
import { time, words } from "../../i18n/index.ts";
import { Part } from "../../ui/parts.tsx";

export function Facts({ item: i }: { item: Item }) {
  const w = words.value.item;
  const own = i.version.author.device || words.value.common.you;
  const facts: [string, ComponentChildren][] = [[w.when, time(i.at, i.exact ? "minute" : "day")]];
  const add = (name: string, value: string) => value && facts.push([name, <bdi key={name}>{value}</bdi>]);
  const dose = i.kind === "medicine";
  if (i.parts.length === 0) add(dose ? w.dose : i.kind === "allergy" ? w.reaction : w.details, i.value);
  if (i.parts.length === 1) add(w.range, i.parts[0]?.range ?? "");
  add(w.who, i.who);
  add(w.source, i.from || own);
  add(w.section, words.value.sections[i.version.section]);
  add(w.status, w.statuses[i.status.toLowerCase() as keyof typeof w.statuses] ?? i.status);
  return (
    <Part title={w.details}>
      <dl class="card facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Part>
  );
}
