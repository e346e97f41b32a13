/** The vault at its end of the line to pages: one message for each call, one for each answer. It locks itself when nobody asks for anything. */

import type { Notice, Vault } from "./api.ts";
import type { Outside } from "./door.ts";
import { fail, failure, kindOf } from "./failure.ts";
import type { FromWorker, ToWorker } from "./remote.ts";

/** Calls that pages make by themselves, to show what came: they keep nobody's vault open. */
const unattended: (keyof Vault)[] = ["state", "sync", "record", "activity", "requests", "grants", "links", "erased", "certificate"];

/** What serve needs of a worker's scope. */
export interface Scope {
  postMessage(m: FromWorker): void;
  onmessage: ((e: MessageEvent<ToWorker>) => void) | null;
}

/** `outside` answers until something else is asked for: that loads the whole vault. */
export function serve(port: Scope, outside: Outside, load: (notify: (n: Notice) => void) => Promise<Vault>): void {
  let locks = 0; // how often it locked: what was asked before is not answered after
  let timer: ReturnType<typeof setTimeout> | undefined;
  let loading: Promise<Vault> | undefined;
  let vault: Vault | undefined;
  const whole = async (): Promise<Vault> => {
    loading ??= load((n) => {
      if (n.kind === "locked") locks++;
      port.postMessage({ notice: n });
    });
    try {
      vault = await loading;
      return vault;
    } catch {
      loading = undefined;
      return fail("unreachable", "the rest of the app does not load");
    }
  };
  const call = async (name: keyof Vault, argument: unknown): Promise<unknown> => {
    const by: Partial<Vault> = !loading && Object.hasOwn(outside, name) ? outside : await whole();
    if (!Object.hasOwn(by, name)) throw failure("invalid", "no such call");
    return (by[name] as (o: unknown) => Promise<unknown>)(argument);
  };

  const rest = async (): Promise<void> => {
    clearTimeout(timer);
    if (!vault) return;
    const { phase, autoLock } = await vault.state();
    if (phase === "open" && autoLock > 0) timer = setTimeout(() => void vault?.lock(), autoLock * 60_000);
  };

  const answer = async ({ id, name, argument }: ToWorker): Promise<void> => {
    const before = locks;
    try {
      const value = await call(name, argument);
      if (locks !== before && name !== "lock") throw failure("locked", "the vault was locked meanwhile");
      port.postMessage({ id, value });
    } catch (e) {
      const detail = e instanceof Error && "detail" in e ? String(e.detail) : e instanceof Error ? e.message : "";
      port.postMessage({ id, failure: kindOf(e), detail });
    }
    if (!unattended.includes(name)) await rest();
  };

  port.onmessage = (e) => void answer(e.data);
}
