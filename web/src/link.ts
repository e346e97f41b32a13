/** The vault, in a worker of its own. Its address is the only script that a page of the app may make, and the only one that its policy lets pass. */

import type { Notice, Vault } from "./vault/api.ts";
import { connect } from "./vault/remote.ts";
import { scriptURL } from "./vault/script.ts";
import address from "./vault/worker.ts?worker&url";

export function vaultInWorker(heard: (n: Notice) => void): Vault {
  return connect(new Worker(scriptURL(address), { type: "module", name: "vault" }), heard);
}
