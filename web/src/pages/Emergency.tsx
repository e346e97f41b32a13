/** A card for helpers: on the screen, on paper, and as a code that holds its text and needs no network. */
import { useState } from "preact/hooks";
import { items } from "../app/store.ts";
import { medicines, standing } from "../fhir/medicines.ts";
import { label, when } from "../fhir/read.ts";
import { fill, language, time, words } from "../i18n/index.ts";
import { Code } from "../ui/Code.tsx";
import { Button, Title } from "../ui/parts.tsx";

const bloodGroups = ["883-9", "882-1", "34530-6"]; // LOINC: ABO group, and ABO and Rh together

/** The card's lines: what, and what is known of it. */
function lines(): [string, string[]][] {
  const w = words.value.emergency;
  const me = items.value.find((i) => i.kind === "person")?.fhir;
  const p = me?.resourceType === "Patient" ? me : undefined;
  const born = when(p?.birthDate);
  const tongue = p?.communication?.find((c) => c.preferred) ?? p?.communication?.[0];
  const code = tongue?.language.coding?.[0]?.code;
  const blood = items.value.find(
    (i) => i.fhir.resourceType === "Observation" && i.fhir.code?.coding?.some((c) => bloodGroups.includes(c.code ?? "")),
  );
  const one = (s: string | undefined) => (s ? [s] : []);
  return [
    [w.name, one(p?.name?.[0]?.text ?? [...(p?.name?.[0]?.given ?? []), p?.name?.[0]?.family].filter(Boolean).join(" "))],
    [w.born, born ? [time(born.at)] : []],
    [w.sex, p?.gender ? [w.genders[p.gender]] : []],
    [w.language, code ? one(new Intl.DisplayNames(language.value, { type: "language" }).of(code)) : one(label(tongue?.language))],
    [w.blood, one(blood?.value)],
    [w.allergies, standing(items.value, "allergy").map((a) => [a.title, a.value].filter(Boolean).join(": "))],
    [w.conditions, standing(items.value, "condition").map((c) => c.title)],
    [
      w.medicines,
      medicines(items.value)
        .filter((m) => m.active)
        .map((m) => [m.item.title, m.item.value].filter(Boolean).join(": ")),
    ],
    [w.contacts, (p?.contact ?? []).map((c) => [c.name?.text ?? c.name?.family, c.telecom?.[0]?.value].filter(Boolean).join(" "))],
  ];
}

const most = 900; // bytes that a telephone's camera still reads from a screen

/** The card as plain text, cut where a code could not be read any more. */
function plain(card: [string, string[]][]): string {
  const text = card.flatMap(([name, values]) => (values.length > 0 ? [`${name}: ${values.join("; ")}`] : [])).join("\n");
  let end = text.length;
  while (new TextEncoder().encode(text.slice(0, end)).length > most) end--;
  return end < text.length ? `${text.slice(0, end)}…` : text;
}

export function Emergency() {
  const w = words.value.emergency;
  const [open, setOpen] = useState(false);
  const card = lines();
  const important: string[] = [w.name, w.allergies, w.conditions, w.medicines]; // here it is worth telling that nothing is on record
  return (
    <div class="page">
      <Title back="/more">{w.title}</Title>
      <p class="quiet unprinted">{w.why}</p>
      <div class="card emergency">
        <dl>
          {card
            .filter(([name, values]) => values.length > 0 || important.includes(name))
            .map(([name, values]) => (
              <div key={name}>
                <dt>{name}</dt>
                {values.length === 0 && <dd class="quiet">{w.none}</dd>}
                {values.map((v) => (
                  <dd key={v}>
                    <bdi>{v}</bdi>
                  </dd>
                ))}
              </div>
            ))}
        </dl>
        <p class="fine">{fill(w.as, { day: time(Date.now()) })}</p>
        <div class={open ? "code" : "code printed"}>
          <Code text={plain(card)} label={w.code} />
        </div>
      </div>
      <p class="hint unprinted">{w.warn}</p>
      <div class="stack unprinted">
        <Button tone="main" icon="print" onClick={() => print()}>
          {words.value.common.print}
        </Button>
        <Button icon="code" onClick={() => setOpen(!open)}>
          {open ? w.codeHide : w.codeShow}
        </Button>
      </div>
    </div>
  );
}
