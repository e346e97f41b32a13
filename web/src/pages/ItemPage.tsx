/** One entry: in plain words first, then its details, its codes, its FHIR, its proof and its versions. */
import { place } from "../app/route.ts";
import { another, itemsByKey, ownerName } from "../app/store.ts";
import type { Item } from "../fhir/item.ts";
import type { Part as Measured } from "../fhir/measure.ts";
import { codings } from "../fhir/read.ts";
import { count, fill, say, time, words } from "../i18n/index.ts";
import { Icon } from "../ui/Icon.tsx";
import { Chip, Empty, FlagChip, Go, Part, Title, Value } from "../ui/parts.tsx";
import { Erase } from "./item/Erase.tsx";
import { Facts } from "./item/Facts.tsx";
import { Files } from "./item/Files.tsx";
import { Hide } from "./item/Hide.tsx";
import { ProofOf } from "./item/ProofOf.tsx";
import { Wrong } from "./item/Wrong.tsx";
import { kindIcons } from "./kindIcons.ts";

export function ItemPage() {
  const i = itemsByKey.value.get(place.value.of);
  if (!i)
    return (
      <div class="page">
        <Title back="/record">{words.value.record.title}</Title>
        <Empty icon="record">{words.value.item.gone}</Empty>
      </div>
    );
  return <Shown key={i.key} item={i} />;
}

function Shown({ item: i }: { item: Item }) {
  const w = words.value.item;
  const measured = i.parts.some((p) => p.value !== null) && (i.kind === "vital" || i.kind === "lab" || i.kind === "device");
  return (
    <div class="page">
      <Title back="/record">
        <bdi>{i.title}</bdi>
      </Title>
      <div class="card lead-card">
        <p class="kind">
          <Icon name={kindIcons[i.kind]} /> {words.value.kind[i.kind]}
          {i.version.blocked && <Chip icon="lock">{w.blocked}</Chip>}
        </p>
        {i.parts.length > 0 && (
          <p class="big">
            <Value text={i.value} /> <FlagChip flag={i.flag} />
          </p>
        )}
        <p>{fill(w.what[i.kind], { day: time(i.at, "long") })}</p>
        {i.flag && <p>{w.means[i.flag]}</p>}
        {measured && (
          <Go
            to="/vitals/trend"
            of={`${i.fhir.resourceType === "Observation" ? (i.fhir.code?.coding?.[0]?.code ?? i.title) : ""}|${i.parts[0]?.unit ?? ""}`}
            class="button quiet"
          >
            <Icon name="activity" />
            {w.trend}
          </Go>
        )}
      </div>
      {i.parts.length > 1 && <Parts parts={i.parts} />}
      {i.note && (
        <Part title={i.kind === "dispense" ? w.dose : w.note}>
          <p class="card text">
            <bdi>{i.note}</bdi>
          </p>
        </Part>
      )}
      {!another.value && <Files item={i} />}
      <Facts item={i} />
      <p class="verified">
        <Icon name="shield" />
        <span>{say(words.value.record.verified, { who: <bdi>{i.from || i.version.author.device || ownerName.value}</bdi> })}</span>
      </p>
      <Folded item={i} />
      {!another.value && <Wrong item={i} />}
      {!another.value && !i.version.blocked && <Hide item={i} />}
      {!another.value && <Erase item={i} />}
    </div>
  );
}

function Parts({ parts }: { parts: Measured[] }) {
  const w = words.value.item;
  return (
    <Part title={words.value.vitals.value}>
      <ul class="card rows">
        {parts.map((p) => (
          <li class="row" key={p.code}>
            <span class="row-text">
              <span class="row-title">
                <bdi>{p.name}</bdi>
              </span>
              {p.range && (
                <span class="row-more">
                  {w.range}: <bdi>{p.range}</bdi>
                </span>
              )}
            </span>
            <span class="row-end">
              <span class="value">
                <bdi>{p.shown}</bdi>
              </span>
              <FlagChip flag={p.flag} />
            </span>
          </li>
        ))}
      </ul>
    </Part>
  );
}

/** What scrolls must be reached by the keyboard. */
const scrolled = { tabIndex: 0 };

/** What most people don't need, each under its own fold. */
function Folded({ item: i }: { item: Item }) {
  const w = words.value.item;
  const codes = codings(i.fhir);
  const versions = i.row.versions;
  return (
    <div class="card folds">
      {!another.value && (
        <details>
          <summary>{w.proof}</summary>
          <p class="quiet">{w.proofWhy}</p>
          <ProofOf version={i.version} />
        </details>
      )}
      {codes.length > 0 && (
        <details>
          <summary>{w.codes}</summary>
          <ul class="codes">
            {codes.map((c) => (
              <li key={`${c.system}|${c.code}`}>
                <bdi>{c.display || c.code}</bdi>
                <code dir="ltr">
                  {c.system} {c.code}
                </code>
              </li>
            ))}
          </ul>
        </details>
      )}
      {versions.length > 1 && (
        <details>
          <summary>{count(w.versions, versions.length)}</summary>
          <ul class="codes">
            {versions.toReversed().map((v) => (
              <li key={v.entry}>
                {fill(w.version, { time: time(v.created || v.at, "minute") })}{" "}
                <bdi>{v.author.member || v.author.device || ownerName.value}</bdi>
              </li>
            ))}
          </ul>
        </details>
      )}
      <details>
        <summary>{w.raw}</summary>
        <section class="raw" aria-label={w.raw} {...scrolled}>
          <pre dir="ltr">{JSON.stringify(i.fhir, null, 2)}</pre>
        </section>
      </details>
    </div>
  );
}
