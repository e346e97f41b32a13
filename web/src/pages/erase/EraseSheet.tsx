/** The question before something is erased: how, what that means, and a yes that nobody says by mistake. */
import { useEffect, useState } from "preact/hooks";
import { explain, itemsByKey, refresh, settled, vault } from "../../app/store.ts";
import { count, number, words } from "../../i18n/index.ts";
import { Button, Check, Choice } from "../../ui/parts.tsx";
import { Sheet } from "../../ui/Sheet.tsx";
import { Working } from "../../ui/Working.tsx";
import type { Erasable, Erasure, Taken } from "../../vault/api.ts";

interface Props {
  title: string;
  of: Taken;
  files?: number; // that are among it
  close(): void;
  done(how: Erasure): void;
}

const sum = (e: Erasable, what: "records" | "open") => e.parts.reduce((n, p) => n + p[what], 0);

export function EraseSheet({ title, of, files = 0, close, done }: Props) {
  const w = words.value.erase;
  const [found, setFound] = useState<Erasable | null>(null);
  const [error, setError] = useState("");
  useEffect(() => {
    vault.erasable({ of }).then(setFound, (e: unknown) => setError(explain(e)));
  }, []);
  const some = found && sum(found, "records") > 0;
  return (
    <Sheet title={title} close={close}>
      {some ? (
        <Ask found={found} of={of} files={files} close={close} done={done} />
      ) : (
        <>
          <p role="status">{error || (found ? w.nothing : words.value.common.working)}</p>
          <div class="stack">
            <Button onClick={close}>{words.value.common.cancel}</Button>
          </div>
        </>
      )}
    </Sheet>
  );
}

function Ask({ found, of, files, close, done }: Omit<Required<Props>, "title"> & { found: Erasable }) {
  const w = words.value.erase;
  const open = sum(found, "open");
  const [how, setHow] = useState<Erasure>(open > 0 ? "block" : "destroy");
  const [understood, setUnderstood] = useState(false);
  const [missing, setMissing] = useState(false);
  const [busy, setBusy] = useState(false);
  const option = (value: Erasure, name: string, more: string) => ({
    value,
    label: (
      <>
        <span class="row-title">{name}</span>
        <span class="row-more">{more}</span>
      </>
    ),
  });
  const change = (next: Erasure) => {
    setHow(next);
    setUnderstood(false);
    setMissing(false);
  };
  const act = async () => {
    if (!understood) return setMissing(true);
    setBusy(true);
    const ended = await settled(how === "block" ? w.doneBlock : w.doneDestroy, () => vault.erase({ how, of }));
    if (!ended) void refresh(false, true); // some of it may be gone
    close();
    if (ended) done(how);
  };
  return (
    <>
      <Choice
        title={w.how}
        value={how}
        set={change}
        options={[...(open > 0 ? [option("block", w.block, w.blockMore)] : []), option("destroy", w.destroy, w.destroyMore)]}
      />
      <p>{count(w.takes, how === "block" ? open : sum(found, "records"))}</p>
      <Along keys={found.along} />
      {files > 0 && <p>{count(w.files, files)}</p>}
      {found.links > 0 && <p>{count(w.links, found.links)}</p>}
      <h3>{w.means}</h3>
      <ul class="points">
        {how === "destroy" && <li>{w.meansDestroy}</li>}
        {how === "destroy" && <li>{w.meansKeep}</li>}
        {how === "block" && <li>{w.meansBlock}</li>}
        <li>{w.meansSeen}</li>
        <li>{w.meansMark}</li>
      </ul>
      <Check
        label={how === "block" ? w.understoodBlock : w.understoodDestroy}
        on={understood}
        set={(on) => {
          setUnderstood(on);
          setMissing(false);
        }}
      />
      <p class="hint bad" role="alert">
        {missing && w.tick}
      </p>
      {busy && <Working />}
      <div class="stack">
        <Button tone="danger" busy={busy} onClick={() => void act()}>
          {how === "block" ? w.blockDo : w.destroyDo}
        </Button>
        {!busy && <Button onClick={close}>{words.value.common.cancel}</Button>}
      </div>
    </>
  );
}

const mostNames = 12;

/** Other entries of the same sealed records: each name once, with how many there are of it. */
function Along({ keys }: { keys: string[] }) {
  const all = keys.flatMap((k) => itemsByKey.value.get(k)?.title ?? []);
  if (all.length === 0) return null;
  const names = new Map<string, number>();
  for (const title of all) names.set(title, (names.get(title) ?? 0) + 1);
  return (
    <>
      <p>{count(words.value.hide.along, all.length)}</p>
      <ul class="codes">
        {[...names].slice(0, mostNames).map(([title, n]) => (
          <li key={title}>
            <bdi>{title}</bdi>
            {n > 1 && ` × ${number(n)}`}
          </li>
        ))}
        {names.size > mostNames && <li aria-hidden="true">…</li>}
      </ul>
    </>
  );
}
