/**
 * The members' half of the keys of records, for an access of this person's (spec/release.md). The home member passes questions and answers on. Nothing is verified one by one as
 * long as the records' key commitments fit; else whose part is wrong is found, and another holder asked.
 */

import { type Bytes, hex } from "../bytes.ts";
import type { Decapsulator } from "../crypto/xwing.ts";
import { readerSecret } from "../envelope/envelope.ts";
import { type Header, releaseId } from "../envelope/header.ts";
import { decapsulate, isPart, quorum } from "../envelope/network.ts";
import { fail, failure, kindOf } from "../failure.ts";
import { type Asking, encodeRelease, openRelease } from "../grant/release.ts";
import type { Recorded } from "../ledger/entry.ts";
import { headerOf } from "../opening.ts";
import { fetchRecords } from "./kept.ts";
import { type NetworkKey, networkKey } from "./networkKey.ts";
import type { Session } from "./session.ts";
import type { Placed } from "./sync.ts";

/** What the holders gave, in the order in which they answered. */
interface Given {
  member: number;
  parts: Map<number, Bytes>;
}

const told = 16; // records between two words about progress

/** Puts what opens the records into the session. A record that fails, fails alone. False: the members release nothing, because the access ended meanwhile. */
export async function release(s: Session, a: Asking, records: Placed[], readers: Map<number, Decapsulator>): Promise<boolean> {
  const key = await networkKey(s, a.log);
  const { kept } = await fetchRecords(s, a.log, records);
  const holders = askingOf(s, key, a, records);
  if (!(await holders.enough())) return false;
  for (const [i, e] of records.entries()) {
    const name = hex((e.says as Recorded).record);
    try {
      const header = headerOf(s.genesis.network, e, kept[i]?.header ?? fail("not-shared", "nobody has the record"));
      s.reads?.secrets.set(name, await holders.secretOf(e, header, readers));
    } catch (e) {
      if (["unreachable", "busy", "damaged", "internal"].includes(kindOf(e))) throw e;
      s.reads?.secrets.set(name, kindOf(e));
    }
    if ((i + 1) % told === 0 || i + 1 === records.length) s.progress({ step: "records", done: i + 1, of: records.length });
  }
  return true;
}

/** The holders of the network key, for one access. */
function askingOf(s: Session, key: NetworkKey, a: Asking, records: Placed[]) {
  const request = encodeRelease(
    a,
    records.map((e) => e.number),
  );
  const unasked = key.holders.toSorted((x, y) => Number(y === s.member) - Number(x === s.member)); // the home member is near
  let given: Given[] = [];
  let ended = 0;
  let last = failure("unreachable", "too few members answer");
  const combiners = new Map<string, Promise<(parts: Bytes[]) => Bytes>>();

  const one = async (member: number): Promise<void> => {
    try {
      given.push({ member, parts: await openRelease(a, key.generation, key.set, member, await s.home.release(member, request)) });
    } catch (e) {
      if (kindOf(e) === "not-shared") ended++;
      else last = e instanceof Error ? failure(kindOf(e), e.message) : last;
    }
  };
  /** Asks until so many have answered as are needed. False: so many refuse that the others can't be enough. */
  const enough = async (): Promise<boolean> => {
    while (given.length < key.needed) {
      const next = unasked.splice(0, key.needed - given.length);
      if (next.length === 0) {
        if (given.length + ended >= key.needed) return false;
        throw last;
      }
      await Promise.all(next.map(one));
    }
    return true;
  };
  const share = (member: number): number => key.holders.indexOf(member) + 1;

  const combined = async (from: Given[], entry: number): Promise<Bytes> => {
    const shares = from.map((g) => share(g.member));
    const combine = combiners.get(shares.join()) ?? quorum(shares);
    combiners.set(shares.join(), combine);
    return (await combine)(from.map((g) => g.parts.get(entry)!));
  };
  const secretOf = async (e: Placed, h: Header, readers: Map<number, Decapsulator>): Promise<Bytes> => {
    const { generation } = e.says as Recorded;
    if (generation !== key.generation || h.net?.generation !== generation) return fail("invalid", "a record under an earlier network key");
    const epoch = h.readers.find((r) => readers.has(r.epoch))?.epoch ?? fail("not-shared", "no reader key for the record's epoch");
    const id = releaseId(h, generation);
    for (;;) {
      const from = given.filter((g) => g.parts.has(e.number)).slice(0, key.needed);
      if (from.length < key.needed) return fail("not-shared", "too few members released the record");
      try {
        return await readerSecret(h, epoch, readers.get(epoch)!, await decapsulate(await combined(from, e.number), h.net.u, id));
      } catch (failed) {
        const liars = new Set<number>();
        for (const g of from) if (!(await isPart(g.parts.get(e.number)!, share(g.member), id, key.polynomial))) liars.add(g.member);
        if (liars.size === 0) throw failed; // the header's locks are altered
        given = given.filter((g) => !liars.has(g.member));
        last = failure("altered", `a wrong part of member ${[...liars].join()}`);
        await enough();
      }
    }
  };
  return { enough, secretOf };
}
