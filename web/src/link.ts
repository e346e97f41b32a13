/** The vault, in a worker of its own. Its address is the only script that the app may make, and the only one that its policy lets pass. */

import type { Notice, Vault } from "./vault/api.ts";
import { connect } from "./vault/remote.ts";
import address from "./vault/worker.ts?worker&url";

interface Policies {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

function allowed(url: string): string {
  if (url !== address) throw new TypeError("no other script is made here");
  return url;
}

function scriptURL(): string {
  const policies = (globalThis as { trustedTypes?: Policies }).trustedTypes;
  return policies ? policies.createPolicy("vault", { createScriptURL: allowed }).createScriptURL(address) : allowed(address);
}

export function vaultInWorker(heard: (n: Notice) => void): Vault {
  return connect(new Worker(scriptURL(), { type: "module", name: "vault" }), heard);
}
