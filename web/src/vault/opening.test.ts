import { expect, test } from "vitest";
import { type Bytes, random, unhex, utf8 } from "./bytes.ts";
import { signContent } from "./chart/content.ts";
import { aes } from "./crypto/aes.ts";
import { signerOf } from "./crypto/ed25519.ts";
import { decapsulatorOf, pairOf } from "./crypto/xwing.ts";
import { seal } from "./envelope/envelope.ts";
import { coreOf, encodeHeader, recordOf } from "./envelope/header.ts";
import { helpersOf } from "./helpers.ts";
import { alone, type Closed, type Opener } from "./opening.ts";
import { line } from "./testing/line.ts";
import { vectors } from "./testing/vectors.ts";

const { networkPublic } = vectors<{ keys: { networkPublic: string } }>("envelope").keys;
const json = '{"resourceType":"Observation","valueQuantity":{"value":72.0}}';

/** A record of one resource, sealed for the owner, and what its entry says of it. */
async function record(by: Opener, log: Bytes, owner: Bytes, n: number): Promise<Closed> {
  const author = await signerOf(random(32));
  const context = {
    network: by.network,
    log,
    writer: author.public,
    salt: random(16),
    created: 1_760_000_000_000,
    compressed: n % 2 === 0,
  };
  const id = recordOf(context);
  const content = await signContent(author, id, context.created, [{ type: "Observation", id: `o${n}`, json, supersedes: [] }]);
  const locks = { owner, reader: owner, epoch: 1, network: unhex(networkPublic), generation: 1 };
  const { header, blob } = await seal(context, content, locks);
  const says = { kind: "append" as const, epoch: 1, generation: 1, record: id, core: coreOf(header), blob: header.blob, size: 10 };
  const entry = { log, number: n, at: 1_760_000_000_000, signer: author.public, says };
  return { entry, header: encodeHeader(header), blob, secret: null, unlocked: null };
}

const changed = (b: Bytes): Bytes => b.map((x, i) => (i === 100 ? x ^ 1 : x));

test.each([true, false])(
  "a helper opens what this worker opens, tells what is altered, and keeps nothing; with the platform's keys: %s",
  async (native) => {
    const owner = await decapsulatorOf(random(32), native);
    const by = { network: random(32), local: await aes(random(32)), owner: pairOf(owner), claimed: false };
    const all = await Promise.all(
      Array.from({ length: 4 }, (_, n) => record(by, utf8("a log of thirty-two bytes, it is"), owner.public, n)),
    );
    const closed = [...all, { ...all[0]!, blob: changed(all[0]!.blob) }, { ...all[1]!, header: changed(all[1]!.header) }];
    closed.push({ ...all[2]!, entry: all[3]!.entry }, { ...all[2]!, secret: { nonce: random(12), cipher: random(48) } });
    const helper = line();
    const got = await helpersOf(() => helper, 1, alone)("records", { by, closed });
    const here = await alone("records", { by, closed });
    expect(got.map((o) => ("why" in o ? o.why : o.content))).toEqual(here.map((o) => ("why" in o ? o.why : o.content)));
    expect(got.map((o) => ("why" in o ? o.why : o.content.items.map((i) => i.id)))).toEqual([
      ...[["o0"], ["o1"], ["o2"], ["o3"]],
      ...["altered", "altered", "altered"],
      ["o2"], // by its lock: what the browser kept is not its own
    ]);
    const first = got[0]!;
    if ("why" in first) throw new Error(first.why);
    expect(first.content.items[0]!.json).toContain('"value":72.0');
    expect(first.content.items[0]!.json).toContain('"id":"o0"');
    const again = await alone("records", {
      by,
      closed: [
        { ...all[0]!, secret: first.secret },
        { ...all[1]!, secret: first.secret },
      ],
    });
    expect(again.map((o) => ("why" in o ? o.why : o.secret === null))).toEqual([true, false]); // each has its own secret
    const [asked] = helper.asked as { by: Opener; closed: Closed[] }[];
    const bytes = asked!.closed.flatMap((c) => [c.header, c.blob, c.entry.signer]);
    expect(bytes.every((b) => b.every((x) => x === 0))).toBe(true);
    for (const half of [asked!.by.owner.ml, asked!.by.owner.x])
      if (half instanceof Uint8Array) expect(half.every((x) => x === 0)).toBe(true);
  },
);
