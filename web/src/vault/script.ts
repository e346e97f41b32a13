/** Scripts of workers, by the one policy that the app has: nothing but the address that it was made for passes. */

interface Policies {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

/** A page and a worker each make one policy, once. */
export function scriptURL(address: string): string {
  const allowed = (url: string): string => {
    if (url !== address) throw new TypeError("no other script is made here");
    return url;
  };
  const policies = (globalThis as { trustedTypes?: Policies }).trustedTypes;
  return policies ? policies.createPolicy("vault", { createScriptURL: allowed }).createScriptURL(address) : allowed(address);
}
