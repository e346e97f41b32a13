/** The worker's entry: the vault over the browser's storage and network. */

import type { Notice } from "./api.ts";
import address from "./crypto/helper.ts?worker&url";
import { helpersOf } from "./crypto/kem.ts";
import { alone } from "./crypto/xwing.ts";
import { doorOf } from "./door.ts";
import { scriptURL } from "./script.ts";
import { type Scope, serve } from "./serve.ts";
import { browserStore } from "./store.ts";

const patience = 120_000; // ms for one call to the home member; who follows its logs brings a signal of its own

let script = ""; // by the policy, which is made once
const helper = (): Worker => {
  script ||= scriptURL(address);
  return new Worker(script, { type: "module", name: "helper" });
};

const around = {
  kem: helpersOf(helper, Math.min(4, navigator.hardwareConcurrency - 1), alone),
  store: browserStore(),
  fetch: (url: string, init?: RequestInit) => fetch(url, { signal: AbortSignal.timeout(patience), ...init }),
};

serve(self as unknown as Scope, doorOf(around).calls, async (notify: (n: Notice) => void) =>
  (await import("./vault.ts")).vaultOf({ ...around, notify }),
);
