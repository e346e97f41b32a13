/** The worker's entry: the vault over the browser's storage and network, or a helper of it, by the worker's name. */

import type { Notice } from "./api.ts";
import { doorOf } from "./door.ts";
import { type Ask, help, helpersOf } from "./helpers.ts";
import { scriptURL } from "./script.ts";
import { type Scope, serve } from "./serve.ts";
import { browserStore } from "./store.ts";

const helper = "helper";
const patience = 120_000; // ms for one call to the home member; who follows its logs brings a signal of its own

/** Loaded when something is to be opened. */
const alone = (async (name, question) => (await import("./opening.ts")).alone(name, question)) as Ask;

function vault(): void {
  let script = ""; // by the policy, which is made once
  const hire = (): Worker => {
    script ||= scriptURL(location.href);
    return new Worker(script, { type: "module", name: helper });
  };
  const around = {
    helpers: helpersOf(hire, Math.min(4, navigator.hardwareConcurrency), alone),
    store: browserStore(),
    fetch: (url: string, init?: RequestInit) => fetch(url, { signal: AbortSignal.timeout(patience), ...init }),
  };
  serve(self as unknown as Scope, doorOf(around).calls, async (notify: (n: Notice) => void) =>
    (await import("./vault.ts")).vaultOf({ ...around, notify }),
  );
}

if (self.name === helper) help(self as unknown as Parameters<typeof help>[0], alone);
else vault();
