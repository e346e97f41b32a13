/** Who is behind a key, in the patient's own words and the genesis'. */

import type { Party } from "../api.ts";
import { type Bytes, equal, hex } from "../bytes.ts";
import type { Genesis } from "../ledger/genesis.ts";
import type { Notes } from "./notes.ts";

export const memberParty = (g: Genesis, number: number): Party => {
  const m = g.members[number];
  return m ? { kind: "member", number, name: m.name, memberKind: m.kind } : { kind: "unknown" };
};

/** Of a key that signed or may sign; owner is the log's own. */
export function partyOf(g: Genesis, notes: Notes, owner: Bytes, key: Bytes): Party {
  if (equal(owner, key)) return { kind: "patient" };
  const n = notes.names.get(hex(key));
  if (!n) return { kind: "unknown" };
  if (n.proxy) return { kind: "proxy", name: n.proxy.name, id: n.proxy.id };
  if (n.link) return { kind: "link", name: n.label };
  return n.member >= 0 ? memberParty(g, n.member) : { kind: "device", name: n.device };
}
