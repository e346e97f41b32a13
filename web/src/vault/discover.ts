/** What the first view asks of the home member, and how everything is asked of it (spec/home.md). */

import { fail, type failure } from "./failure.ts";
import { type Genesis, parseGenesis } from "./ledger/genesis.ts";

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

export const prefix = "/app/v1/";

/** Nothing comes along with a call, and nothing stays of it. */
export const plain: RequestInit = { credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer", redirect: "error" };

export async function answer(name: string, ask: () => Promise<Response>): Promise<Response> {
  let r: Response;
  try {
    r = await ask();
  } catch {
    return fail("unreachable", `${name}: the home member does not answer`);
  }
  if (r.ok) return r;
  const kinds: Record<number, ReturnType<typeof failure>["failure"]> = {
    400: "invalid",
    404: "not-shared",
    409: "conflict",
    413: "invalid",
    429: "busy",
  };
  return fail(kinds[r.status] ?? "unreachable", `${name}: the home member answers ${r.status}`);
}

/** The genesis as the member at base shows it, and the member's number. It is taken on trust: whoever begins holds it against what else they know. */
export async function discover(base: string, ask: Fetch): Promise<{ json: string; genesis: Genesis; member: number }> {
  const r = await answer("genesis", () => ask(`${base}${prefix}genesis`, plain));
  const json = await r.text();
  const genesis = parseGenesis(json);
  const member = Number(r.headers.get("Vitalog-Member") ?? "-1");
  if (!Number.isInteger(member) || !genesis.members[member]) return fail("other-network", "the home member does not say who it is");
  return { json, genesis, member };
}
