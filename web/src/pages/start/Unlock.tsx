/** Unlocking with a passkey or the passphrase; whoever has neither starts anew with the words. */
import { useState } from "preact/hooks";
import { ask, possible } from "../../app/passkey.ts";
import { settle, state, tell, vault } from "../../app/store.ts";
import { fill, words } from "../../i18n/index.ts";
import { Button, Passphrase } from "../../ui/parts.tsx";
import { Sheet } from "../../ui/Sheet.tsx";
import { failure } from "../../vault/failure.ts";
import { useAttempt } from "../Start.tsx";
import { Form } from "./Form.tsx";

export function Unlock() {
  const w = words.value.start;
  const [pass, setPass] = useState("");
  const [lost, setLost] = useState(false);
  const [error, busy, attempt] = useAttempt();
  const passkeys = possible() ? (state.value?.passkeys ?? []) : [];
  const withPasskey = (id: string, salt: string) =>
    attempt(async () => {
      const g = await ask(id, salt);
      if (!g) throw failure("wrong-passkey", "no PRF");
      return vault.unlockPasskey({ id, prf: g.prf });
    });
  return (
    <>
      <Form
        title={w.unlockTitle}
        why={w.unlockWhy}
        submit={() => attempt(() => vault.unlock({ passphrase: pass }))}
        act={w.unlock}
        busy={busy}
      >
        {passkeys.map((p) => (
          <Button key={p.id} icon="key" onClick={() => withPasskey(p.id, p.salt)}>
            <bdi>{fill(w.passkey, { name: p.name })}</bdi>
          </Button>
        ))}
        {passkeys.length > 0 && <p class="or">{w.orPass}</p>}
        <Passphrase label={w.pass} value={pass} set={setPass} error={error} />
      </Form>
      <p class="start after">
        <button type="button" class="link" onClick={() => setLost(true)}>
          {w.forgotten}
        </button>
      </p>
      {lost && (
        <Sheet title={w.forgotten} close={() => setLost(false)}>
          <p>{w.forgottenWhy}</p>
          <div class="stack">
            <Button
              tone="danger"
              onClick={() => {
                vault.forget().then(
                  (s) => settle(s),
                  () => tell(words.value.failures.internal, true),
                );
              }}
            >
              {w.forget}
            </Button>
            <Button onClick={() => setLost(false)}>{words.value.common.cancel}</Button>
          </div>
        </Sheet>
      )}
    </>
  );
}
