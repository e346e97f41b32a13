/** Who can see or write what; what is asked for; and stopping it, one or all. */
import { useState } from "preact/hooks";
import { go } from "../app/route.ts";
import { grants, links, requests, vault } from "../app/store.ts";
import { count, fill, list, say, time, words } from "../i18n/index.ts";
import { Icon } from "../ui/Icon.tsx";
import { Button, Chip, Empty, Go, Part, RowLink, Title } from "../ui/parts.tsx";
import { partyName, purposeName } from "./activity/AccessRow.tsx";
import { type Bundle, live, may, type Sharer, sharers, unseen } from "./sharing/bundle.ts";
import { CodeCard, opens } from "./sharing/CodeCard.tsx";
import { Stop } from "./sharing/Stop.tsx";
import { changing, sectionsText } from "./sharing/terms.tsx";

export function Sharing() {
  const w = words.value.sharing;
  const all = grants.value ?? [];
  const now = sharers(all.filter(live));
  const past = sharers(all.filter((g) => !live(g)));
  const codes = links.value ?? [];
  const [good, spent] = [codes.filter(opens), codes.filter((l) => !opens(l))];
  const hidden = unseen(all).filter((s) => !good.some((l) => l.sections.includes(s)));
  return (
    <div class="page">
      <Title>{w.title}</Title>
      <div class="stack wide">
        <Go to="/sharing/new" class="button main">
          <Icon name="plus" />
          {w.new}
        </Go>
        <Go to="/sharing/code" class="button quiet">
          <Icon name="key" />
          {words.value.codes.title}
        </Go>
        <Go to="/sharing/card" class="button quiet">
          <Icon name="code" />
          {w.card}
        </Go>
      </div>
      <Asked />
      {(now.length > 0 || good.length === 0) && (
        <Part title={w.shared}>
          {now.length === 0 && <Empty icon="lock">{w.nobody}</Empty>}
          {now.map((s) => (
            <SharerCard key={s.id} sharer={s} />
          ))}
        </Part>
      )}
      {good.length > 0 && (
        <Part title={words.value.codes.list}>
          {good.map((l) => (
            <CodeCard key={l.id} link={l} />
          ))}
        </Part>
      )}
      <Part title={w.blind}>
        <p class="card text">{hidden.length > 0 ? list(hidden.map((s) => words.value.sections[s])) : w.blindAll}</p>
      </Part>
      {past.length + spent.length > 0 && (
        <details class="past">
          <summary>{w.past}</summary>
          {past.map((s) => (
            <SharerCard key={s.id} sharer={s} over />
          ))}
          {spent.map((l) => (
            <CodeCard key={l.id} link={l} />
          ))}
        </details>
      )}
      {now.length + good.length > 0 && <StopAll />}
    </div>
  );
}

function Asked() {
  const w = words.value.sharing;
  const all = requests.value?.requests ?? [];
  const open = all.filter((r) => !r.answered);
  const spam = requests.value?.spam ?? 0;
  if (open.length === 0 && spam === 0) return null;
  return (
    <Part title={w.requests}>
      {open.length > 0 && (
        <ul class="card rows needs">
          {open.map((r) => (
            <RowLink
              key={r.id}
              to="/sharing/request"
              of={r.id}
              icon="person"
              title={<bdi>{[r.person, r.role].filter(Boolean).join(", ") || partyName(r.from)}</bdi>}
              more={
                <>
                  <bdi>{partyName(r.from)}</bdi> · {fill(words.value.request.when, { time: time(r.at, "minute") })}
                </>
              }
            />
          ))}
        </ul>
      )}
      {spam > 0 && <p class="quiet">{count(w.spam, spam)}</p>}
    </Part>
  );
}

function SharerCard({ sharer: s, over }: { sharer: Sharer; over?: boolean }) {
  const w = words.value.sharing;
  const device = s.party.kind === "device";
  const kind = s.party.kind === "member" ? s.party.memberKind : "";
  return (
    <article class="card sharer">
      <h3>
        <Icon name={device ? "watch" : s.party.kind === "proxy" ? "person" : "building"} />
        <span>
          <bdi>{partyName(s.party)}</bdi>
          <span class="row-more">
            {device
              ? w.device
              : s.party.kind === "proxy"
                ? words.value.family.forYou
                : kind in w.kind
                  ? w.kind[kind as keyof typeof w.kind]
                  : w.kind.other}
          </span>
        </span>
      </h3>
      {s.bundles.map((b) => (
        <BundleOf key={b.id} bundle={b} sharer={s} {...(over ? { over } : {})} />
      ))}
    </article>
  );
}

function BundleOf({ bundle: b, sharer: s, over }: { bundle: Bundle; sharer: Sharer; over?: boolean }) {
  const w = words.value.sharing;
  const [asked, setAsked] = useState(false);
  const opened = b.grants.reduce((n, g) => n + g.opened, 0);
  const last = Math.max(...b.grants.map((g) => g.lastOpened));
  const first = b.grants[0]!;
  const what = sectionsText(b.grants.map((g) => g.section));
  const sentence = { read: w.sees, write: w.writes, both: w.both }[may(b.rights)];
  const used = Math.max(...b.grants.map((g) => g.used));
  const reads = b.rights.includes("read");
  return (
    <div class="bundle">
      <p class="bundle-what">
        {say(sentence, { what: <strong>{what}</strong> })}
        {reads && !b.everything && ` (${w.newOnly})`}
      </p>
      <p class="row-chips">
        {b.purpose && <Chip>{fill(w.purpose, { purpose: purposeName(b.purpose) })}</Chip>}
        {over ? (
          <Chip icon="cross">{words.value.states[first.state]}</Chip>
        ) : (
          <Chip>{b.until ? fill(w.until, { day: time(b.until) }) : w.untilStopped}</Chip>
        )}
        {first.uses > 0 && <Chip>{fill(w.uses, { used, of: first.uses })}</Chip>}
      </p>
      {reads && (
        <p class="row-more">
          {opened > 0 ? fill(w.opened, { times: count(words.value.common.times, opened), day: time(last, "minute") }) : w.openedNever}
        </p>
      )}
      {b.label && (
        <p class="row-more">
          <bdi>{fill(w.label, { label: b.label })}</bdi>
        </p>
      )}
      {!over && (
        <div class="pair">
          {s.party.kind === "member" && (
            <Button
              onClick={() => {
                changing.value = b.grants.map((g) => g.id);
                go("/sharing/new");
              }}
            >
              {w.change}
              <span class="unseen"> {partyName(s.party)}</span>
            </Button>
          )}
          {s.party.kind === "proxy" && (
            <Go to="/more/family/code" of={s.party.id} class="button quiet">
              {fill(words.value.family.code, { who: s.party.name })}
            </Go>
          )}
          <Button tone="danger" onClick={() => setAsked(true)}>
            {w.stop}
            <span class="unseen"> {partyName(s.party)}</span>
          </Button>
        </div>
      )}
      {asked && (
        <Stop
          title={say(w.stopTitle, { who: <bdi>{partyName(s.party)}</bdi> })}
          why={w.stopWhy}
          act={w.stopDo}
          stop={() => vault.stop({ grants: b.grants.map((g) => g.id) })}
          close={() => setAsked(false)}
        />
      )}
    </div>
  );
}

function StopAll() {
  const w = words.value.sharing;
  const [asked, setAsked] = useState(false);
  return (
    <div class="stack ends">
      <Button tone="danger" onClick={() => setAsked(true)}>
        {w.stopAll}
      </Button>
      {asked && (
        <Stop title={w.stopAllTitle} why={w.stopAllWhy} act={w.stopAllDo} stop={() => vault.stopAll()} close={() => setAsked(false)} />
      )}
    </div>
  );
}
