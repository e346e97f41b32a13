/** The vault in a worker of its own: one message for each call, one for each answer. It locks itself when nobody asks for anything. */

import type { Notice, State, Vault } from "./api.ts";
import { failure, kindOf } from "./failure.ts";
import type { FromWorker, ToWorker } from "./remote.ts";
import { browserStore } from "./store.ts";
import { vaultOf } from "./vault.ts";

const port = self as unknown as { postMessage(m: FromWorker): void; onmessage: ((e: MessageEvent<ToWorker>) => void) | null };

/** Calls that pages make by themselves: they keep nobody's vault open. */
const unattended: (keyof Vault)[] = ["state", "sync"];

let locks = 0; // how often it locked: an answer from before is not given after
let timer: ReturnType<typeof setTimeout> | undefined;

function notify(n: Notice): void {
  if (n.kind === "locked") locks++;
  port.postMessage({ notice: n });
}

const vault = vaultOf({
  store: browserStore(),
  fetch: (url, init) => fetch(url, { signal: AbortSignal.timeout(120_000), ...init }),
  notify,
});

async function rest(): Promise<void> {
  clearTimeout(timer);
  const { phase, autoLock }: State = await vault.state();
  if (phase === "open" && autoLock > 0) timer = setTimeout(() => void vault.lock(), autoLock * 60_000);
}

async function answer({ id, name, argument }: ToWorker): Promise<void> {
  const before = locks;
  try {
    if (!Object.hasOwn(vault, name)) throw failure("invalid", "no such call");
    const value = await (vault[name] as (o: unknown) => Promise<unknown>)(argument);
    if (locks !== before && name !== "lock") throw failure("locked", "the vault was locked meanwhile");
    port.postMessage({ id, value });
  } catch (e) {
    const detail = e instanceof Error && "detail" in e ? String(e.detail) : e instanceof Error ? e.message : "";
    port.postMessage({ id, failure: kindOf(e), detail });
  }
  if (!unattended.includes(name)) await rest();
}

port.onmessage = (e) => void answer(e.data);
