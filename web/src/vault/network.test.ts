/** The flows on a running network, which home/portal_test.go starts: a home member and a hospital that asks, writes and reads. */

import { beforeAll, describe, expect, test, vi } from "vitest";
import type { Chart, Notice, Vault } from "./api.ts";
import { type Bytes, base64, hex } from "./bytes.ts";
import { secretOf } from "./crypto/derive.ts";
import { sections } from "./names.ts";
import { memoryStore, type Store } from "./store.ts";
import { vaultOf } from "./vault.ts";
import { u32 } from "./wire.ts";
import { rootOf } from "./words.ts";

const home = process.env.VITALOG_HOME ?? "";
const hospital = process.env.VITALOG_HOSPITAL ?? "";
const passphrase = "a patient's passphrase";

async function has<T>(
  deed: "ask" | "write" | "attach" | "read" | "verify" | "open" | "held" | "kept" | "expunge" | "certificate",
  body: {
    card?: string;
    chart?: string;
    log?: string;
    entry?: number;
    export?: string;
    certificate?: string;
    link?: string;
    passcode?: string;
    times?: number;
    embedded?: number;
  },
): Promise<T> {
  const r = await fetch(`${hospital}/${deed}`, { method: "POST", body: JSON.stringify(body) });
  if (!r.ok) throw new Error(`${deed}: ${await r.text()}`);
  return (await r.json()) as T;
}

function start(store: Store, ask: typeof fetch = fetch): { vault: Vault; notices: Notice[] } {
  const notices: Notice[] = [];
  return { vault: vaultOf({ store, fetch: (url, init) => ask(url, init), notify: (n) => notices.push(n) }), notices };
}

/** All bytes and texts in a value. */
function bytesIn(x: unknown): Uint8Array[] {
  if (x instanceof Uint8Array) return [x];
  if (typeof x === "string") return [new TextEncoder().encode(x)];
  return typeof x === "object" && x !== null ? Object.values(x).flatMap(bytesIn) : [];
}

describe.skipIf(home === "")("the vault on a running network", () => {
  const left: Uint8Array[] = []; // what went over the network, or into the browser's storage
  const map = memoryStore();
  const store: Store = {
    ...map,
    put: (table, key, value) => {
      left.push(...bytesIn([key, value]));
      return map.put(table, key, value);
    },
    cache: (table, rows) => {
      left.push(...bytesIn(rows));
      return map.cache(table, rows);
    },
  };
  const { vault, notices } = start(store, async (url, init) => {
    left.push(...bytesIn([String(url), JSON.stringify(init?.headers ?? {}), init?.body]));
    return fetch(url, init);
  });
  /** The vault says by itself that something came; afterwards it may say so again. */
  const news = async () => {
    await vi.waitFor(() => expect(notices).toContainEqual({ kind: "news" }), { timeout: 60_000 });
    notices.length = 0;
  };
  let words: string[] = [];
  let chart = "";

  beforeAll(async () => {
    expect((await vault.state()).phase).toBe("none");
    await vault.begin({ home });
    await expect(vault.create({ passphrase: "short" })).rejects.toMatchObject({ failure: "weak-passphrase" });
    chart = (await vault.create({ passphrase })).chart;
    words = await vault.words({});
    expect(words.length).toBe(24);
    expect(await vault.confirmWords({ places: [3, 20], words: [words[2]!, "zebra"] })).toBe(false);
    expect(await vault.confirmWords({ places: [3, 20], words: [words[2]!, words[19]!.toUpperCase()] })).toBe(true);
    const { block, signed, of } = await vault.enrol();
    expect([block > 0, signed, of]).toEqual([true, 2, 2]);
  }, 120_000);

  test("tells a request, which the patient narrows, and the answer comes back", async () => {
    await vault.sync();
    const { request } = await has<{ request: string }>("ask", { card: (await vault.card()).text });
    await news();
    await vault.sync();
    const { requests, spam } = await vault.requests();
    expect(spam).toBe(0);
    expect(requests).toMatchObject([
      {
        id: request,
        from: { kind: "member", name: "Member 1" },
        person: "Dr. Ada Okafor",
        sections: ["medications", "labs", "vitals"],
        answered: false,
      },
    ]);
    const some = { request, until: Date.now() + requests[0]!.lasts, uses: 0, note: "vitals only", label: "cardiology" };
    await expect(vault.answer({ ...some, sections: ["hiv"] })).rejects.toMatchObject({ failure: "invalid" });
    await vault.answer({ ...some, sections: ["vitals"] });
    expect((await vault.requests()).requests).toMatchObject([{ answered: true, granted: true }]);
    expect(await vault.grants()).toMatchObject([
      {
        to: { name: "Member 1" },
        section: "vitals",
        rights: ["read"],
        everything: true,
        label: "cardiology",
        state: "in-force",
        opened: 0,
      },
    ]);
    await expect(vault.answer({ ...some, sections: ["vitals"] })).rejects.toMatchObject({ failure: "conflict" });
  }, 120_000);

  test("opens what the hospital wrote, proved and signed, and shows who read it and why", async () => {
    await vault.share({ member: 1, purpose: "TREAT", sections: ["vitals"], rights: ["write"], label: "writes" });
    await vault.sync();
    const written = await has<{ entry: number; block: number }>("write", { chart });
    await news();
    expect(await vault.sync()).toMatchObject({ changed: true, entries: 2 });
    await vault.write({
      json: '{"resourceType":"Observation","id":"mine","status":"final","valueDecimal":1.50}',
      section: "patient-generated",
    });
    await vault.sync();
    const c = await vault.record();
    expect(c.problems).toEqual([]);
    const pulse = c.resources.find((r) => r.id === "pulse-1")!;
    expect(pulse.versions.length).toBe(2);
    expect(pulse.current).toMatchObject({
      section: "vitals",
      entry: written.entry,
      block: written.block,
      status: "active",
      author: { member: "Member 1", name: "Dr. Ada Okafor" },
    });
    expect(pulse.current.json).toContain('"value":62.50');
    const mine = c.resources.find((r) => r.id === "mine")!;
    expect(mine.current.author).toMatchObject({ own: true, member: "", name: "" });
    expect(mine.current.json).toContain('"valueDecimal":1.50');
    expect(await vault.proof({ section: "vitals", entry: written.entry })).toMatchObject({ entry: written.entry, signed: 2, of: 2 });

    notices.length = 0;
    expect(await has("read", { chart })).toEqual({ resources: 1 });
    await news();
    await vault.sync();
    const { rows, proven } = await vault.activity();
    expect(proven).toBe(true);
    expect(rows).toMatchObject([
      {
        by: { kind: "member", name: "Member 1" },
        person: "Dr. Ada Okafor",
        role: "cardiologist",
        purpose: "TREAT",
        reason: "follow-up\nof last week",
        outcome: "allowed",
        explained: true,
        introduced: true,
        records: 2,
        resources: ["Observation/pulse-1"],
      },
    ]);
    expect((await vault.grants()).map((g) => g.opened).sort()).toEqual([0, 1]);
  }, 120_000);

  test("lets the patient change and end what is the patient's own, and nothing else", async () => {
    const own = (v: string) => `{"resourceType":"Observation","id":"weight","status":"final","valueDecimal":${v}}`;
    await vault.write({ json: own("70.0"), section: "patient-generated" });
    await vault.write({ json: own("71.0") });
    const weight = async () => (await vault.record()).resources.find((r) => r.id === "weight")!;
    expect([(await weight()).versions.length, (await weight()).forked, (await weight()).current.json.includes("71.0")]).toEqual([
      2,
      false,
      true,
    ]);
    await expect(vault.write({ json: own("72.0"), section: "vitals" })).rejects.toMatchObject({ failure: "conflict" });
    await expect(vault.write({ json: '{"resourceType":"Observation","id":"pulse-1"}', section: "vitals" })).rejects.toMatchObject({
      failure: "conflict",
    });
    await expect(vault.write({ json: '{"resourceType":"Banana"}', section: "vitals" })).rejects.toMatchObject({ failure: "invalid" });
    await expect(vault.write({ json: "{" })).rejects.toMatchObject({ failure: "invalid" });
    await vault.remove({ key: "Observation/weight" });
    expect((await weight()).current).toMatchObject({ status: "deleted", json: "" });
    await expect(vault.remove({ key: "Observation/pulse-1" })).rejects.toMatchObject({ failure: "conflict" });
  }, 120_000);

  test("gives the bytes of attachments, small and large, as their author summed them", async () => {
    const at = await has<Record<string, number>>("attach", { chart });
    await vault.sync();
    const c = await vault.record();
    expect(c.problems).toEqual([]);
    for (const size of [100, 9_000_000]) {
      const r = c.resources.find((x) => x.id === `scan-${size}`)!;
      expect([r.type, r.current.entry]).toEqual(["Binary", at[size]]);
      const blob = await vault.attachment({ section: "vitals", entry: r.current.entry });
      expect([blob.type, blob.size]).toEqual(["application/dicom", size]);
      expect(Buffer.from(await blob.arrayBuffer()).every((x, i) => x === i % 251)).toBe(true);
      let from = 0;
      for (let n = 0; from < size && n < 9; n++) {
        const part = await vault.attachmentPart({ section: "vitals", entry: r.current.entry, from });
        expect([part.size, part.bytes.type, part.bytes.size <= 4 << 20]).toEqual([size, "application/dicom", true]);
        expect(Buffer.from(await part.bytes.arrayBuffer()).every((x, i) => x === (from + i) % 251)).toBe(true);
        from += part.bytes.size;
      }
      expect(from).toBe(size);
      await expect(vault.attachmentPart({ section: "vitals", entry: r.current.entry, from: size })).rejects.toMatchObject({
        failure: "invalid",
      });
    }
    const pulse = c.resources.find((x) => x.id === "pulse-1")!.current.entry;
    await expect(vault.attachment({ section: "vitals", entry: pulse })).rejects.toMatchObject({ failure: "invalid" });
  }, 120_000);

  test("hides one resource from one who may read the others", async () => {
    expect(await has("read", { chart })).toEqual({ resources: 3 });
    const pulse = (await vault.record()).resources.find((x) => x.id === "pulse-1")!;
    const reads = (await vault.grants()).find((g) => g.rights.includes("read") && g.state === "in-force")!;
    await vault.hide({ grant: reads.id, entries: pulse.versions.map((v) => v.entry) });
    const now = (await vault.grants()).find((g) => g.rights.includes("read") && g.state === "in-force")!;
    expect([now.everything, now.records, now.label, now.until]).toEqual([false, 2, reads.label, reads.until]);
    expect(await has("read", { chart })).toEqual({ resources: 2 });
    await vault.sync();
    expect((await vault.activity()).rows[0]!.resources.sort()).toEqual(["Binary/scan-100", "Binary/scan-9000000"]);
  }, 120_000);

  test("comes back from the 24 words on another device", async () => {
    const { vault: other } = start(memoryStore());
    await other.begin({ home });
    const s = await other.recover({ words: words.join("  ").toUpperCase(), passphrase });
    expect(s).toMatchObject({ phase: "open", enrolled: true, kitSaved: true, chart });
    await other.sync();
    const same = (c: Chart) => c.resources.map((r) => [r.key, r.current.entry, r.current.json]).sort();
    expect(same(await other.record())).toEqual(same(await vault.record()));
    expect((await other.grants()).map((g) => [g.id, g.label, g.to])).toEqual((await vault.grants()).map((g) => [g.id, g.label, g.to]));
  }, 120_000);

  test("gives its keys to another device, once and to no other key", async () => {
    const { vault: other } = start(memoryStore());
    await other.begin({ home });
    const { code, link } = await other.offerPairing();
    const flip = (name: string, place: number) => async (url: URL | RequestInfo, init?: RequestInit) => {
      const r = await fetch(url, init);
      if (!String(url).endsWith(name) || (init?.body as Bytes | undefined)?.[32] !== place) return r;
      const b = new Uint8Array(await r.arrayBuffer());
      return new Response(b.length > 0 ? b.map((x, i) => (i === b.length - 1 ? x ^ 1 : x)) : b, r);
    };

    // A home member that shows another key, or that is another one.
    const { vault: lied } = start(store, flip("pairing-get", 0) as typeof fetch);
    await lied.unlock({ passphrase });
    await expect(lied.meetPairing({ code })).rejects.toMatchObject({ failure: "pair-swapped" });
    await expect(vault.meetPairing({ code: code.slice(1) })).rejects.toMatchObject({ failure: "pair-code" });

    const [here, there] = await Promise.all([vault.meetPairing({ code: link }), other.pairingNumber()]);
    expect(here.number).toMatch(/^\d{8}$/);
    expect(there).toBe(here.number);
    await expect(lied.meetPairing({ code })).rejects.toMatchObject({ failure: "pair-swapped" });
    const { vault: late } = start(store);
    await late.unlock({ passphrase });
    await expect(late.meetPairing({ code })).rejects.toMatchObject({ failure: "pair-gone" }); // somebody was there before
    await expect(other.keepPairing({ passphrase })).rejects.toMatchObject({ failure: "invalid" }); // nothing was given
    await expect(vault.givePairing({ passphrase: "another passphrase" })).rejects.toMatchObject({ failure: "wrong-passphrase" });
    await Promise.all([vault.givePairing({ passphrase }), other.pairingKeys()]);
    await expect(vault.meetPairing({ code })).rejects.toMatchObject({ failure: "pair-gone" }); // it was once
    await expect(other.keepPairing({ passphrase: "short" })).rejects.toMatchObject({ failure: "weak-passphrase" });
    expect(await other.keepPairing({ passphrase: "the other device's" })).toMatchObject({
      phase: "open",
      enrolled: true,
      kitSaved: true,
      chart,
    });
    await other.sync();
    const same = (c: Chart) => c.resources.map((r) => [r.key, r.current.entry, r.current.json]).sort();
    expect(same(await other.record())).toEqual(same(await vault.record()));
    expect([(await vault.paired()).length, await other.paired()]).toEqual([1, await vault.paired()]);

    // A home member that alters what is sealed, and a person who stops.
    const { vault: third } = start(memoryStore(), flip("pairing-get", 2) as typeof fetch);
    await third.begin({ home });
    const meets = async () => {
      const [, n] = await Promise.all([vault.meetPairing({ code: (await third.offerPairing()).code }), third.pairingNumber()]);
      return n;
    };
    await meets();
    const [, altered] = await Promise.allSettled([vault.givePairing({ passphrase }), third.pairingKeys()]);
    expect(altered).toMatchObject({ reason: { failure: "pair-swapped" } });
    await meets();
    const stopped = expect(third.pairingKeys()).rejects.toMatchObject({ failure: "pair-gone" });
    await third.endPairing();
    await stopped;
    expect((await vault.paired()).length).toBe(2); // of the device that got nothing too
    expect((await third.state()).phase).toBe("none");
  }, 120_000);

  test("opens again from what the browser keeps, without asking for ciphertext", async () => {
    await vault.lock();
    await expect(vault.record()).rejects.toMatchObject({ failure: "locked" });
    const asked: string[] = [];
    const { vault: again } = start(store, async (url, init) => {
      asked.push(String(url).split("/").at(-1)!);
      return fetch(url, init);
    });
    await expect(again.unlock({ passphrase: "another passphrase" })).rejects.toMatchObject({ failure: "wrong-passphrase" });
    await again.unlock({ passphrase });
    expect((await again.record()).resources.length).toBe(5);
    expect(asked).toEqual([]);
    expect(await again.sync()).toMatchObject({ changed: false, entries: 0 });
    expect(new Set(asked)).toEqual(new Set(["receipt", "follow"]));
    await vault.unlock({ passphrase });
  }, 120_000);

  test("finds a home member out that lies", async () => {
    const lie = (name: string, change: (b: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>) => {
      const ask = async (url: URL | RequestInfo, init?: RequestInit) => {
        const r = await fetch(url, init);
        return String(url).endsWith(name) && r.ok ? new Response(change(new Uint8Array(await r.arrayBuffer())), r) : r;
      };
      return start(memoryStore(), ask as typeof fetch).vault;
    };
    const flip = (at: number) => (b: Uint8Array<ArrayBuffer>) => b.map((x, i) => (i === (at < 0 ? b.length + at : at) ? x ^ 1 : x));
    for (const [name, change] of [
      ["receipt", flip(90)],
      ["receipt", flip(-10)],
      ["entries", flip(-5)],
      ["entries", (b) => b.slice(0, 4).fill(0)],
    ] as [string, (b: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>][]) {
      const liar = lie(name, change);
      await liar.begin({ home });
      await expect(liar.recover({ words: words.join(" "), passphrase }).then(() => liar.sync())).rejects.toMatchObject({
        failure: "altered",
      });
    }
    // The first headers; the last ciphertext, and of the other log the author's lock of an attachment, which is nothing to the patient.
    for (const [at, found] of [
      [200, 2],
      [-8, 1],
    ] as const) {
      const liar = lie("records", flip(at));
      await liar.begin({ home });
      await liar.recover({ words: words.join(" "), passphrase });
      const c = await liar.record();
      expect(c.problems.map((p) => p.why)).toEqual(Array(found).fill("altered")); // each alone
    }
    const liar = lie("network-key", flip(-3));
    await liar.begin({ home });
    await liar.recover({ words: words.join(" "), passphrase });
    await expect(liar.write({ json: '{"resourceType":"Observation"}', section: "vitals" })).rejects.toMatchObject({ failure: "altered" });
  }, 240_000);

  test("what came while it asked is new the next time, and until then it doesn't say to know of it", async () => {
    const vitals = (await vault.proof({ section: "vitals", entry: 0 })).log;
    let asked = Number.NEGATIVE_INFINITY;
    let answered: () => void = () => undefined;
    const others = new Promise<void>((done) => {
      answered = done;
    });
    let between: Promise<unknown> | undefined;
    const { vault: slow } = start(memoryStore(), async (url, init) => {
      if (!String(url).endsWith("/receipt")) return fetch(url, init);
      const n = ++asked;
      if (n < 1) return fetch(url, init);
      if (n > sections.length) {
        between ??= has("write", { chart }); // vitals was asked for, and the others are asked for once more
        await between;
      } else if (hex((init!.body as Bytes).subarray(0, 32)) === vitals) {
        await others;
        await has("write", { chart });
      }
      const answer = await fetch(url, init);
      if (n === sections.length) answered();
      return answer;
    });
    await slow.begin({ home });
    await slow.recover({ words: words.join(" "), passphrase });
    await slow.sync();
    asked = 0;
    const first = await slow.sync();
    expect([first.entries > 0, asked > sections.length]).toEqual([true, true]);
    asked = Number.NEGATIVE_INFINITY;
    const second = await slow.sync();
    expect(second.changed).toBe(true);
    expect(second.height).toBeGreaterThan(first.height);
    expect((await slow.activity()).upTo).toBeGreaterThan(first.at);
    await vault.sync();
  }, 120_000);

  test("stops, and the next read is refused and shown", async () => {
    const reads = (await vault.grants()).find((g) => g.rights.includes("read") && g.state === "in-force")!;
    await vault.stop({ grants: [reads.id] });
    expect((await vault.grants()).map((g) => [g.rights.join(), g.state])).toEqual([
      ["read", "revoked"],
      ["write", "in-force"],
      ["read", "revoked"],
    ]);
    expect(await has("read", { chart })).toHaveProperty("refused");
    await vault.sync();
    const [row] = (await vault.activity()).rows;
    expect(row).toMatchObject({ by: { name: "Member 1" }, explained: true });
    expect(row!.outcome).not.toBe("allowed");
    await has("write", { chart }); // under the new epoch
    await vault.sync();
    expect((await vault.record()).problems).toEqual([]);
    await vault.erase({ how: "block", of: { keys: ["Observation/mine"] } });
    expect((await vault.record()).resources.find((r) => r.id === "mine")!.current.blocked).toBe(true);
    await vault.stopAll();
    expect((await vault.grants()).every((g) => g.state === "revoked")).toBe(true);
    await expect(vault.stopAll()).rejects.toMatchObject({ failure: "conflict" });
  }, 120_000);

  test("lets who has a code and its passcode read a part of the record, with a row for each opening and each wrong passcode", async () => {
    await vault.write({ json: '{"resourceType":"AllergyIntolerance","id":"nuts","code":{"text":"peanuts"}}', section: "summary" });
    await vault.write({ json: '{"resourceType":"Observation","id":"diary","status":"final"}', section: "mental-health" });
    const ask = { sections: ["summary", "medications"] as const, lasts: 900_000, label: "Rome" };
    await expect(vault.makeLink({ ...ask, sections: [...ask.sections], uses: 0 })).rejects.toMatchObject({ failure: "invalid" });
    const { id } = await vault.makeLink({ ...ask, sections: [...ask.sections], uses: 2 });
    const made = async () => (await vault.links()).find((l) => l.id === id)!;
    const link = await made();
    expect(link).toMatchObject({ label: "Rome", sections: ["summary", "medications"], resources: 1, used: 0, wrong: 0, state: "in-force" });
    expect(link.passcode).toMatch(/^\d{6}$/);

    const open = (o: { passcode?: string; times?: number; embedded?: number }, l = link) =>
      has<{ status: number; left: number; bundle: string }[]>("open", { link: l.text, passcode: l.passcode, ...o });
    const [first] = await open({});
    expect(JSON.parse(first!.bundle).entry.map((e: { resource: { id: string } }) => e.resource.id)).toEqual(["nuts"]);
    await vault.sync();
    const rows = async () => (await vault.activity()).rows.filter((r) => r.by.kind === "link");
    expect(await rows()).toMatchObject([
      {
        by: { name: "Rome" },
        person: "Dr. Ruiz, who says so",
        outcome: "allowed",
        resources: ["AllergyIntolerance/nuts"],
        records: 1,
        machine: false,
        explained: true,
        introduced: true,
        link: { sections: ["summary", "medications"] },
      },
    ]);
    const wrong = await open({ passcode: "no passcode", times: 8 });
    expect(wrong.map((w) => w.status).sort()).toEqual([401, 401, 401, 401, 401, 404, 404, 404]);
    expect(wrong.flatMap((w) => (w.status === 401 ? [w.left] : [])).sort()).toEqual([0, 1, 2, 3, 4]);
    expect((await open({}))[0]!.status).toBe(404);
    await vault.sync();
    expect((await rows()).map((r) => r.outcome)).toEqual([...Array(5).fill("no-such-grant"), "allowed"]);
    expect(await made()).toMatchObject({ used: 1, wrong: 5, wrongLeft: 0, state: "locked" });

    const other = await vault.makeLink({ ...ask, sections: [...ask.sections], uses: 9, passcode: "open sesame" });
    const second = (await vault.links()).find((l) => l.id === other.id)!;
    expect((await open({ embedded: 100 }, second))[0]).toMatchObject({ status: 200, bundle: expect.stringContaining("peanuts") });
    await vault.stop({ grants: [other.id] });
    expect((await open({}, second))[0]!.status).toBe(404);
    expect((await vault.links()).map((l) => l.state)).toEqual(["revoked", "locked"]);

    const all = Buffer.concat(left);
    for (const l of [link, second]) {
      const { url, key } = JSON.parse(Buffer.from(l.text.slice("shlink:/".length), "base64url").toString());
      for (const secret of [key, Buffer.from(key, "base64url"), url.split("/").at(-1), l.passcode])
        expect(all.includes(secret)).toBe(false);
    }
  }, 120_000);

  test("destroys a file, a section, and ends the code that shows what is blocked: at every member, on this device and on the other one", async () => {
    const kept = memoryStore();
    const dropped: string[] = [];
    const drop = (of: Store) => async (table: Parameters<Store["drop"]>[0], keys: string[]) => {
      dropped.push(...keys.map((k) => `${table}/${k}`));
      return of.drop(table, keys);
    };
    const { vault: other } = start({ ...kept, drop: drop(kept) });
    await other.begin({ home });
    await other.recover({ words: words.join(" "), passphrase });
    const keys = async (v: Vault) => (await v.record()).resources.map((r) => r.key).sort();
    const scan = (await vault.record()).resources.find((r) => r.id === "scan-9000000")!.current;
    expect(await keys(other)).toContain("Binary/scan-9000000");
    const held = () => has("held", { log: `log:${scan.log}`, entry: scan.entry });
    expect([await held(), await kept.get("records", scan.record)]).toMatchObject([{ members: 2 }, { secret: {} }]);

    const file = { keys: ["Binary/scan-9000000"] };
    expect(await vault.erasable({ of: file })).toEqual({
      parts: [{ section: "vitals", records: 1, open: 1, resources: 1 }],
      along: [],
      links: 0,
    });
    expect(await vault.erase({ how: "destroy", of: file })).toMatchObject({ signed: 2, of: 2 });
    expect([await held(), await map.get("records", scan.record)]).toEqual([{ members: 0 }, undefined]);
    await expect(vault.attachment({ section: "vitals", entry: scan.entry })).rejects.toMatchObject({ failure: "not-shared" });
    await expect(vault.erase({ how: "destroy", of: file })).rejects.toMatchObject({ failure: "conflict" });
    await other.sync();
    expect([await kept.get("records", scan.record), dropped.length]).toEqual([undefined, 2]); // the record, and its parts
    for (const v of [vault, other])
      expect([await keys(v), (await v.record()).problems]).toEqual([expect.not.arrayContaining(file.keys), []]);

    await vault.makeLink({ sections: ["summary"], lasts: 900_000, uses: 9 });
    const nuts = { keys: ["AllergyIntolerance/nuts"] };
    expect((await vault.erasable({ of: nuts })).links).toBe(2); // and the one that is locked
    await vault.erase({ how: "block", of: nuts });
    expect((await vault.links()).map((l) => l.state)).toEqual(["revoked", "revoked", "revoked"]);
    expect((await vault.record()).resources.find((r) => r.id === "nuts")!.current.blocked).toBe(true);
    await expect(vault.erase({ how: "block", of: nuts })).rejects.toMatchObject({ failure: "conflict" });

    // The note that was blocked, and the weight with its end.
    const section = { section: "patient-generated" } as const;
    expect((await vault.erasable({ of: section })).parts).toEqual([{ ...section, records: 4, open: 3, resources: 1 }]);
    await vault.erase({ how: "destroy", of: section });
    const all = await vault.erased();
    expect(all.map((x) => [x.how, x.by.kind, x.parts.map((p) => `${p.section} ${p.records}`)])).toEqual([
      ["block", "patient", ["summary 1"]],
      ["destroy", "patient", ["vitals 1", "patient-generated 4"]], // it began earlier
    ]);

    // What each member says of it is on the ledger when it is out of its files.
    const { orders, at } = all[1]!;
    expect((await vault.certificate({ orders })).members.map((m) => m.name)).toEqual(["Member 0", "Member 1"]);
    await has("expunge", {});
    const complete = async () => {
      const c = await vault.certificate({ orders });
      expect(c.members.every((m) => m.deleted > at)).toBe(true);
      return c;
    };
    const shown = await vi.waitFor(complete, { timeout: 60_000, interval: 500 });
    expect(await has("certificate", { certificate: base64(new Uint8Array(await shown.file.arrayBuffer())) })).toEqual({ records: 5 });
    await expect(vault.certificate({ orders: [{ section: "vitals", entry: 0 }] })).rejects.toThrow();

    // The hospital has to keep what it wrote: that stands on the ledger before it says that it has deleted, and so does each opening.
    await vault.sync();
    const [keeper] = (await vault.erased())[1]!.kept;
    expect(keeper).toMatchObject({ by: { kind: "member", number: 1 } });
    expect(new Date(keeper!.until).getUTCFullYear() - new Date(scan.created).getUTCFullYear()).toBe(10);
    await has("kept", { entry: scan.entry });
    await vault.sync();
    expect((await vault.activity()).rows[0]).toMatchObject({
      kept: true,
      purpose: "HLEGAL",
      reason: "an audit",
      records: 1,
      resources: [],
    });
    const { vault: lied } = start(store, async (url, init) => {
      const r = await fetch(url, init);
      if (!String(url).endsWith("/certificate")) return r;
      return new Response(
        new Uint8Array(await r.arrayBuffer()).map((x, n, b) => (n === b.length - 9 ? x ^ 1 : x)),
        r,
      );
    });
    await lied.unlock({ passphrase });
    await expect(lied.certificate({ orders })).rejects.toMatchObject({ failure: "altered" });
  }, 120_000);

  test("let no secret and no word of the record out, in any request or storage", async () => {
    const root = await rootOf(words.join(" "));
    const secret = await secretOf(root.slice());
    const seeds = [root, new TextEncoder().encode(passphrase), new TextEncoder().encode("pulse-1"), new TextEncoder().encode("Okafor")];
    for (const n of [1, 6, 18, 19]) {
      for (const what of ["owner", "exchange", "reader"]) seeds.push(await secret.derive(`vitalog/v1/root/${what}`, new Uint8Array([n])));
      const chain = await secretOf(seeds.at(-1)!.slice() as Bytes);
      for (const epoch of [1, 2]) seeds.push(await chain.derive("vitalog/v1/reader", u32(epoch)));
    }
    const all = Buffer.concat(left);
    expect(all.length).toBeGreaterThan(100_000);
    for (const s of seeds)
      for (const form of [s, hex(s), base64(s).replaceAll("=", "")])
        expect(all.includes(typeof form === "string" ? form : Buffer.from(form))).toBe(false);
    expect(all.includes(`${words[0]} ${words[1]}`)).toBe(false);
  });

  test("takes the record and the signed log along", async () => {
    const bundle = JSON.parse(await (await vault.exportRecord()).text());
    expect([bundle.resourceType, bundle.entry.length]).toEqual(["Bundle", 4]);
    const { rows } = await vault.activity();
    const log = await (await vault.exportActivity()).text();
    expect(await has("verify", { export: log })).toEqual({ rows: rows.length });
    expect(log).toContain("Dr. Ada Okafor");

    // The network goes away after the first section; the same again goes on.
    let submitted = 0;
    const { vault: cut } = start(store, async (url, init) => {
      if (String(url).endsWith("/submit") && ++submitted > 1) throw new TypeError("no network");
      return fetch(url, init);
    });
    await cut.unlock({ passphrase });
    await expect(cut.erase({ how: "destroy", of: { all: true } })).rejects.toMatchObject({ failure: "unreachable" });
    await vault.sync();
    const some = (await vault.record()).resources.length;
    expect([some > 0, some < bundle.entry.length]).toEqual([true, true]);
    await vault.erase({ how: "destroy", of: { all: true } });
    expect((await vault.record()).resources).toEqual([]);
    expect((await vault.erasable({ of: { all: true } })).parts).toEqual([]);
    expect((await vault.activity()).rows.length).toBe(rows.length);
    await vault.forget();
    expect(await vault.state()).toMatchObject({ phase: "none", network: null });
  }, 120_000);
});
