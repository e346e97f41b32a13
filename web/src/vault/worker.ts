/** The worker's entry: the vault over the browser's storage and network. */

import { type Scope, serve } from "./serve.ts";
import { browserStore } from "./store.ts";
import { vaultOf } from "./vault.ts";

const patience = 120_000; // ms for one call to the home member; who follows its logs brings a signal of its own

serve(self as unknown as Scope, (notify) =>
  vaultOf({ store: browserStore(), fetch: (url, init) => fetch(url, { signal: AbortSignal.timeout(patience), ...init }), notify }),
);
