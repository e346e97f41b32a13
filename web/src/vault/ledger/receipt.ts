/** A receipt proves to whoever has the genesis, and nothing else, that an entry is on the ledger (spec/receipt.md). */

import { type Bytes, concat, equal, hex } from "../bytes.ts";
import { verify } from "../crypto/ed25519.ts";
import { fail } from "../failure.ts";
import { type Reader, reader, sum, times } from "../wire.ts";
import { type BlockId, type Header, headerHash, type Time, validatorsHash, voteBytes } from "./engine.ts";
import type { Entry } from "./entry.ts";
import type { Genesis } from "./genesis.ts";
import type { Head } from "./head.ts";
import { checkProof, type Proof, readProof, type State, stateHash } from "./proof.ts";

interface Vote {
  at: Time;
  signature: Bytes;
}

export interface Receipt {
  log: Bytes;
  number: number;
  proof: Proof;
  header: Header;
  round: number;
  total: number;
  parts: Bytes;
  votes: (Vote | null)[];
}

/** What a receipt shows. */
export interface Verified {
  log: Bytes;
  number: number;
  entry: Entry;
  encoded: Bytes; // the entry's bytes
  head: Head; // of the log: nothing is missing below its size
  state: State;
  height: number; // of the header
  at: number; // its time, ms
  signed: number;
  of: number;
}

const version = 1;
const [maxMembers, maxRound, maxSeconds] = [128, 2 ** 31 - 1, 253_402_300_799];

function readTime(r: Reader): Time {
  const t = { seconds: r.count64(), nanos: r.u32() };
  return t.seconds > maxSeconds || t.nanos >= 1e9 ? fail("altered", "receipt: a time that there is not") : t;
}

const readId = (r: Reader): BlockId => ({ hash: r.fixed(32), total: r.u32(), parts: r.fixed(32) });

export function decodeReceipt(b: Bytes): Receipt {
  const r = reader(b, "receipt");
  const v = r.u8();
  if (v !== version) fail("altered", `receipt: format version ${v}, this program reads ${version}`);
  const [log, number, proof] = [r.fixed(32), r.count64(), readProof(r)];
  const header: Header = {
    block: r.count64(),
    app: r.count64(),
    height: r.count64(),
    time: readTime(r),
    last: readId(r),
    hashes: times(8, () => r.fixed(32)),
    proposer: r.fixed(20),
  };
  const [round, total, parts] = [r.u32(), r.u32(), r.fixed(32)];
  if (round > maxRound) fail("altered", `receipt: round ${round}`);
  const votes = times(r.count(maxMembers, 1), () => (r.flag() ? { at: readTime(r), signature: r.fixed(64) } : null));
  r.end();
  return { log, number, proof, header, round, total, parts, votes };
}

/** How many signed, by what they signed and how: receipts of one block have the same signatures, which are verified once. Of one genesis. */
export type Agreed = Map<string, Promise<number>>;

const mostAgreed = 64;

/** Follows the receipt from the entry to the validators of the genesis, and refuses it at the first step that fails. */
export async function verifyReceipt(x: Receipt, g: Genesis, agreed: Agreed = new Map()): Promise<Verified> {
  const { entry, head } = checkProof(x.proof, x.log, x.number);
  const [validators, appHash] = [x.header.hashes[2]!, x.header.hashes[5]!];
  if (!equal(appHash, stateHash(x.proof.state)) || x.header.height !== x.proof.height + 1)
    return fail("altered", "receipt: the header is not of this state");
  if (!equal(validators, validatorsHash(g.validators)) || x.votes.length !== g.validators.length)
    return fail("altered", "receipt: the validators are not the genesis'");
  const signed = await countVotes(x, g, agreed);
  if (3 * signed <= 2 * x.votes.length)
    return fail("altered", `receipt: ${signed} of ${x.votes.length} signed, more than two thirds are needed`);
  const at = x.header.time.seconds * 1000 + Math.floor(x.header.time.nanos / 1e6);
  return {
    log: x.log,
    number: x.number,
    entry,
    encoded: x.proof.entry,
    head,
    state: x.proof.state,
    height: x.header.height,
    at,
    signed,
    of: x.votes.length,
  };
}

/** Counts the signatures over the header. One that is wrong counts against the whole receipt: an honest one has none. */
function countVotes(x: Receipt, g: Genesis, agreed: Agreed): Promise<number> {
  const id = { hash: headerHash(x.header, g.chain), total: x.total, parts: x.parts };
  const votes = x.votes.map((v) => v && { message: voteBytes(g.chain, x.header.height, x.round, id, v.at), signature: v.signature });
  const name = hex(sum("votes", ...votes.map((v) => (v ? concat(v.message, v.signature) : new Uint8Array(0)))));
  const known = agreed.get(name);
  if (known) return known;
  const checked = votes.map(async (v, i) => {
    if (!v) return 0;
    const good = await verify(g.validators[i]!, v.message, v.signature);
    return good ? 1 : fail("altered", "receipt: a validator's signature does not verify");
  });
  const counted = Promise.all(checked).then((each) => each.reduce<number>((n, c) => n + c, 0));
  if (agreed.size >= mostAgreed) agreed.clear();
  agreed.set(name, counted);
  return counted;
}
