/** What unlocks on this device, the recovery kit, the automatic lock, and the end of all of it. */
import { useEffect, useState } from "preact/hooks";
import { make, possible } from "../../app/passkey.ts";
import { explain, settle, state, tell, vault } from "../../app/store.ts";
import { count, fill, time, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Button, Choice, Field, Go, Part, Passphrase, Title } from "../../ui/parts.tsx";
import { Sheet } from "../../ui/Sheet.tsx";
import type { State } from "../../vault/api.ts";
import { WordList } from "../start/Kit.tsx";

/** Does one thing to the keys and says what became of it. */
async function change(done: string, act: () => Promise<State>): Promise<boolean> {
  try {
    await settle(await act());
    tell(done);
    return true;
  } catch (e) {
    tell(explain(e), true);
    return false;
  }
}

export function Keys() {
  const open = state.value?.phase === "open";
  return (
    <div class="page">
      <Title back="/more">{words.value.more.keys}</Title>
      {open && <Passkeys />}
      {open && <Devices />}
      {open && <ChangePassphrase />}
      {open && <KitAgain />}
      {open && <AutoLock />}
      <Forget />
    </div>
  );
}

function Passkeys() {
  const w = words.value.keys;
  const [name, setName] = useState("");
  const [pass, setPass] = useState("");
  const [busy, setBusy] = useState(false);
  const all = state.value?.passkeys ?? [];
  const add = async () => {
    setBusy(true);
    const made = await make(name || words.value.app);
    if (!made) tell(w.passkeyNo, true);
    else if (
      await change(w.passkeyAdded, () =>
        vault.addPasskey({ id: made.id, name: name || words.value.app, salt: made.salt, prf: made.prf, passphrase: pass }),
      )
    ) {
      setName("");
      setPass("");
    }
    setBusy(false);
  };
  return (
    <Part title={w.passkeys}>
      <p class="quiet">{possible() ? w.passkeysWhy : w.passkeyNo}</p>
      {all.length === 0 ? (
        <p>{w.passkeyNone}</p>
      ) : (
        <ul class="card rows">
          {all.map((p) => (
            <li class="row" key={p.id}>
              <span class="row-icon">
                <Icon name="key" />
              </span>
              <span class="row-text">
                <bdi>{p.name}</bdi>
              </span>
              <button
                type="button"
                class="round"
                aria-label={fill(w.passkeyRemove, { name: p.name })}
                onClick={() => void change(w.passkeyRemoved, () => vault.removePasskey({ id: p.id }))}
              >
                <Icon name="cross" />
              </button>
            </li>
          ))}
        </ul>
      )}
      {possible() && (
        <>
          <Field label={w.passkeyName} value={name} set={setName} />
          <Passphrase label={words.value.start.pass} value={pass} set={setPass} />
          <Button icon="key" busy={busy} onClick={() => void add()}>
            {w.passkeyAdd}
          </Button>
        </>
      )}
    </Part>
  );
}

function Devices() {
  const w = words.value.pairing;
  const [times, setTimes] = useState<number[]>([]);
  useEffect(() => {
    vault.paired().then(setTimes, explain);
  }, []);
  return (
    <Part title={w.devices}>
      <p class="quiet">{w.devicesWhy}</p>
      {times.length > 0 && (
        <ul class="card rows">
          {times.map((at) => (
            <li class="row" key={at}>
              <span class="row-icon">
                <Icon name="key" />
              </span>
              <span class="row-text">{fill(w.added, { when: time(at, "minute") })}</span>
            </li>
          ))}
        </ul>
      )}
      <Go to="/more/device" class="button">
        {w.add}
      </Go>
    </Part>
  );
}

function ChangePassphrase() {
  const w = words.value.keys;
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const save = async () => {
    if (await change(w.changed, () => vault.changePassphrase({ old, new: fresh }))) {
      setOld("");
      setFresh("");
    }
  };
  return (
    <Part title={w.change}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        <Passphrase label={w.old} value={old} set={setOld} />
        <Passphrase label={w.new} hint={words.value.start.passHint} value={fresh} set={setFresh} fresh />
        <Button type="submit">{w.change}</Button>
      </form>
    </Part>
  );
}

function KitAgain() {
  const w = words.value.keys;
  const [pass, setPass] = useState("");
  const [list, setList] = useState<string[]>([]);
  const [error, setError] = useState("");
  const show = () => {
    setError("");
    vault.words({ passphrase: pass }).then(
      (l) => {
        setPass("");
        setList(l);
      },
      (e: unknown) => setError(explain(e)),
    );
  };
  return (
    <Part title={w.kit}>
      <p class="quiet">{w.kitWhy}</p>
      {list.length > 0 ? (
        <>
          <WordList list={list} />
          <Button onClick={() => setList([])}>{words.value.common.done}</Button>
        </>
      ) : (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            show();
          }}
        >
          <Passphrase label={words.value.start.pass} value={pass} set={setPass} error={error} />
          <Button type="submit">{w.kitShow}</Button>
        </form>
      )}
    </Part>
  );
}

function AutoLock() {
  const w = words.value.keys;
  const options = [1, 5, 15, 60].map((n) => ({ value: n, label: count(words.value.common.minutes, n) }));
  const now = state.value?.autoLock ?? 0;
  if (now > 0 && !options.some((o) => o.value === now)) options.push({ value: now, label: count(words.value.common.minutes, now) });
  return (
    <Part title={w.lock}>
      <p class="quiet">{w.lockWhy}</p>
      <Choice
        title={w.lock}
        value={now}
        set={(minutes) => void change(w.lockSaved, () => vault.setAutoLock({ minutes }))}
        options={[...options, { value: 0, label: w.lockNever }]}
      />
    </Part>
  );
}

function Forget() {
  const w = words.value.keys;
  const [asked, setAsked] = useState(false);
  return (
    <Part title={w.forget}>
      <p class="quiet">{w.forgetWhy}</p>
      <Button tone="danger" onClick={() => setAsked(true)}>
        {w.forget}
      </Button>
      {asked && (
        <Sheet title={w.forgetTitle} close={() => setAsked(false)}>
          <p>{w.forgetWhy}</p>
          <div class="stack">
            <Button tone="danger" onClick={() => void vault.forget().then(settle)}>
              {w.forgetDo}
            </Button>
            <Button onClick={() => setAsked(false)}>{words.value.common.cancel}</Button>
          </div>
        </Sheet>
      )}
    </Part>
  );
}
