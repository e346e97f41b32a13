/**
 * What a browser tells before keys are opened: the pinned network, and whose keys are kept. It is all that the first view needs; the rest of the
 * vault is loaded when somebody makes keys or opens them.
 */

import type { ClaimState, Member, Network, State, Vault } from "./api.ts";
import { hex, unhex } from "./bytes.ts";
import { discover, type Fetch } from "./discover.ts";
import { fail } from "./failure.ts";
import type { Ring } from "./keyring.ts";
import { type Genesis, parseGenesis } from "./ledger/genesis.ts";
import type { Store } from "./store.ts";

interface Pinned {
  json: string;
  member: number;
  home: string;
}

interface Settings {
  kitSaved: boolean;
  enrolled: boolean;
  claim: ClaimState;
  autoLock: number;
}

const fresh: Settings = { kitSaved: false, enrolled: false, claim: "none", autoLock: 5 };

/** The calls of a vault that is not loaded yet. */
export type Outside = Pick<Vault, "begin" | "state">;

export interface Door {
  calls: Outside;
  pinned(): Promise<{ home: string; member: number; genesis: Genesis }>;
  ring(): Promise<Ring | undefined>;
  set(s: Partial<Settings>): Promise<void>;
}

/** `inside` is the chart that is open, if there is one. */
export function doorOf({ store, fetch }: { store: Store; fetch: Fetch }, inside: () => string | null = () => null): Door {
  const kept = (): Promise<Pinned | undefined> => store.get<Pinned>("state", "network");
  let read: { json: string; genesis: Genesis } | null = null;
  const genesisOf = (json: string): Genesis => {
    if (read?.json !== json) read = { json, genesis: parseGenesis(json) };
    return read.genesis;
  };
  const ring = (): Promise<Ring | undefined> => store.get<Ring>("state", "ring");
  const settings = async (): Promise<Settings> => ({ ...fresh, ...(await store.get<Settings>("state", "settings")) });
  return {
    ring,
    set: async (s) => store.put("state", "settings", { ...(await settings()), ...s }),
    pinned: async () => {
      const { json, ...net } = (await kept()) ?? fail("no-patient", "begin with a network");
      return { ...net, genesis: genesisOf(json) };
    },
    calls: {
      state: async () => {
        const [net, r, { kitSaved, enrolled, claim, autoLock }, chart] = [await kept(), await ring(), await settings(), inside()];
        return {
          phase: chart !== null ? "open" : r ? "locked" : "none",
          network: net ? networkOf(genesisOf(net.json), net.member) : null,
          passphrase: r !== undefined,
          passkeys: (r?.passkeys ?? []).map(({ id, name, salt }) => ({ id, name, salt })),
          kitSaved,
          enrolled,
          claim,
          autoLock,
          chart: chart ?? "",
        } satisfies State;
      },
      begin: async ({ home, network }) => {
        const before = await kept();
        const found = await discover(home, fetch);
        const want = before ? genesisOf(before.json).network : network === undefined ? found.genesis.network : unhex(network, 32);
        if (hex(want) !== hex(found.genesis.network)) return fail("other-network", "the home member belongs to another network");
        await store.put("state", "network", { json: found.json, member: found.member, home });
        return networkOf(found.genesis, found.member);
      },
    },
  };
}

function networkOf(g: Genesis, home: number): Network {
  const members: Member[] = g.members.map((m, number) => ({ number, name: m.name, kind: m.kind }));
  return { id: hex(g.network), name: g.name, founded: g.founded, members, validators: g.validators.length, home };
}
