/** One person reads for another, on the network that home/portal_test.go starts. */

import { beforeAll, describe, expect, test } from "vitest";
import type { Vault } from "./api.ts";
import { memoryStore, type Store } from "./store.ts";
import { vaultOf } from "./vault.ts";

const home = process.env.VITALOG_HOME ?? "";
const hospital = process.env.VITALOG_HOSPITAL ?? "";
const passphrase = "a person's passphrase";

/** Every request that a vault makes may be looked at, or changed in what comes back. */
type Ask = (url: string, init?: RequestInit) => Promise<Response>;

async function person(ask: Ask = fetch, store: Store = memoryStore()): Promise<{ vault: Vault; words: string[]; chart: string }> {
  const vault = vaultOf({ store, fetch: ask, notify: () => {} });
  await vault.begin({ home });
  const { chart } = await vault.create({ passphrase });
  const words = await vault.words({});
  await vault.confirmWords({ places: [1], words: [words[0]!] });
  await vault.enrol();
  await vault.sync();
  return { vault, words, chart };
}

describe.skipIf(home === "")("a proxy on a running network", () => {
  let maria: Vault;
  let ana: Vault;
  let anasWords: string[] = [];
  let id = "";
  const asked: string[] = []; // by Ana's app, by name
  const sent: string[] = []; // and what it sent
  let alter: ((name: string, b: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>) | null = null;
  const anasStore = memoryStore();
  const kept: [string, unknown][] = [];
  const rows = async () => {
    await maria.sync();
    return (await maria.activity()).rows.filter((r) => r.by.kind === "proxy");
  };
  const titles = async (reason = "") => {
    const c = await ana.readFor({ id, reason });
    return { refused: c.refused, problems: c.problems.map((p) => p.why), keys: c.resources.map((r) => r.key).sort() };
  };

  beforeAll(async () => {
    const m = await person();
    maria = m.vault;
    await maria.write({
      json: '{"resourceType":"Observation","id":"own","status":"final","valueDecimal":1.50}',
      section: "patient-generated",
    });
    await maria.write({ json: '{"resourceType":"AllergyIntolerance","id":"nuts"}', section: "summary" });
    await maria.write({ json: '{"resourceType":"Observation","id":"secret","status":"final"}', section: "hiv" });
    await maria.share({ member: 1, purpose: "TREAT", sections: ["vitals"], rights: ["write"] });
    const r = await fetch(`${hospital}/write`, { method: "POST", body: JSON.stringify({ chart: m.chart }) });
    if (!r.ok) throw new Error(await r.text());
    const watch = async (url: string, init?: RequestInit) => {
      const name = url.split("/").at(-1)!;
      asked.push(name);
      sent.push(Buffer.from((init?.body ?? new Uint8Array()) as Uint8Array).toString("latin1"));
      const answer = await fetch(url, init);
      return alter && answer.ok && name === "release"
        ? new Response(alter(name, new Uint8Array(await answer.arrayBuffer())), answer)
        : answer;
    };
    const store: Store = {
      ...anasStore,
      cache: (table, list) => {
        kept.push(...list);
        return anasStore.cache(table, list);
      },
    };
    const a = await person(watch, store);
    ana = a.vault;
    anasWords = a.words;
  }, 120_000);

  test("is invited, sees what was granted and nothing else, after a row that says who for whom", async () => {
    const { text } = await ana.invite({ name: "Ana Ruiz" });
    expect(text).toMatch(/^vitalog:proxy\?[\w-]{86}$/);
    expect(sent.join()).not.toContain("Ana Ruiz");
    const seen = await maria.invited({ text: ` ${text}\n` });
    expect(seen.name).toBe("Ana Ruiz");
    id = seen.id;
    for (const wrong of ["", "vitalog:proxy?", `${text.slice(0, -1)}_`, text.replace("proxy", "claim")])
      await expect(maria.invited({ text: wrong })).rejects.toMatchObject({ failure: expect.stringMatching(/proxy-code|not-shared/) });
    await expect(ana.invited({ text })).rejects.toMatchObject({ failure: "invalid" }); // one's own

    const share = { text, patient: "Maria Ortiz", purpose: "FAMRQT", until: Date.now() + 86_400_000 };
    await maria.shareWithProxy({ ...share, sections: ["vitals", "patient-generated"] });
    const theirs = (await maria.grants()).filter((g) => g.to.kind === "proxy");
    expect(theirs).toMatchObject(
      ["vitals", "patient-generated"].map((section) => ({ section, rights: ["read"], to: { name: "Ana Ruiz", id }, until: share.until })),
    );
    const answer = await maria.answerProxy({ id });
    expect(answer.text).toMatch(/^vitalog:proxied\?[\w-]{64}$/);
    await expect(maria.acceptProxy(answer)).rejects.toMatchObject({ failure: "proxy-code" }); // for another's invitation
    expect(await ana.acceptProxy(answer)).toMatchObject({ id, name: "Maria Ortiz", sections: ["vitals", "patient-generated"] });

    asked.length = 0;
    expect(await titles("she asked me\nto look")).toEqual({ refused: [], problems: [], keys: ["Observation/own", "Observation/pulse-1"] });
    expect(asked.indexOf("submit")).toBeLessThan(asked.indexOf("release"));
    expect(asked.lastIndexOf("receipt")).toBeLessThan(asked.lastIndexOf("release"));
    const c = await ana.readFor({ id, reason: "" });
    expect(c.resources.find((r) => r.id === "pulse-1")!.current).toMatchObject({
      author: { member: "Member 1" },
      entry: expect.any(Number),
    });
    expect(c.resources.find((r) => r.id === "own")!.current.json).toContain('"valueDecimal":1.50');
    const [again, , first] = await rows();
    expect(first).toMatchObject({
      by: { name: "Ana Ruiz" },
      person: "Ana Ruiz",
      purpose: "FAMRQT",
      outcome: "allowed",
      explained: true,
      introduced: true,
    });
    expect(first!.reason).toBe("she asked me\nto look");
    expect([first!.further, again!.further]).toEqual([false, true]); // each look is a row, also of what was in memory
    expect((await rows()).length).toBe(4);
    expect(sent.join()).not.toContain("Maria Ortiz");
    expect(JSON.stringify(kept, (_, v) => (v instanceof Uint8Array ? Buffer.from(v).toString("latin1") : v))).not.toContain("valueDecimal");
    const theirRecords = c.resources.flatMap((r) => r.versions.map((v) => kept.find(([key]) => key === v.record)?.[1]));
    expect(theirRecords.map((k) => (k as { secret: unknown }).secret)).toEqual([null, null, null]); // what was released is kept nowhere
  }, 120_000);

  test("finds a home member out that alters a part or serves another holder's", async () => {
    await ana.leave({ id });
    alter = (_, b) => b.map((x, i) => (i === b.length - 1 ? x ^ 1 : x));
    await expect(ana.readFor({ id, reason: "" })).rejects.toMatchObject({ failure: "altered" });
    let before: Uint8Array<ArrayBuffer> | null = null;
    alter = (_, b) => {
      before ??= b;
      return before; // the first holder's reply as everybody's
    };
    await expect(ana.readFor({ id, reason: "" })).rejects.toMatchObject({ failure: "altered" });
    alter = null;
    expect((await titles()).keys.length).toBe(2);
  }, 120_000);

  test("comes back from the 24 words, and sees no more than the grant after one thing is hidden", async () => {
    const other = vaultOf({ store: memoryStore(), fetch, notify: () => {} });
    await other.begin({ home });
    await other.recover({ words: anasWords.join(" "), passphrase });
    await other.sync();
    expect(await other.readsAll()).toMatchObject([{ id, name: "Maria Ortiz", purpose: "FAMRQT" }]);
    const [vitals] = (await maria.grants()).filter((g) => g.to.kind === "proxy" && g.section === "vitals");
    const pulse = (await maria.record()).resources.find((r) => r.id === "pulse-1")!;
    await maria.hide({ grant: vitals!.id, entries: pulse.versions.map((v) => v.entry) });
    expect((await other.readFor({ id, reason: "" })).resources.map((r) => r.key)).toEqual(["Observation/own"]);
    expect((await titles()).keys).toEqual(["Observation/own"]); // also what was in memory is gone
  }, 120_000);

  test("is refused from the next look after a stop, and the refusal is a row; what others keep goes on in the new epoch", async () => {
    const own = (await maria.grants()).filter((g) => g.to.kind === "proxy" && g.state === "in-force");
    await maria.stop({ grants: own.filter((g) => g.section === "vitals").map((g) => g.id) });
    await maria.write({ json: '{"resourceType":"Observation","id":"later","status":"final"}', section: "patient-generated" });
    const after = await titles();
    expect(after).toMatchObject({ refused: [{ section: "vitals", why: expect.stringMatching(/revoked|no-such-grant/) }], problems: [] });
    expect(after.keys).toEqual(["Observation/later", "Observation/own"]);
    expect((await rows()).find((r) => r.section === "vitals")).toMatchObject({
      person: "Ana Ruiz",
      explained: true,
      outcome: expect.not.stringMatching("allowed"),
    });

    await maria.stop({ grants: own.filter((g) => g.section === "patient-generated").map((g) => g.id) });
    expect(await titles()).toMatchObject({ keys: [], refused: [{ section: "vitals" }, { section: "patient-generated" }] });
    await expect(maria.answerProxy({ id })).rejects.toMatchObject({ failure: "not-shared" });
  }, 120_000);

  test("is refused when the time is over", async () => {
    const { text } = await ana.invite({ name: "Ana Ruiz" });
    const { id: next } = await maria.invited({ text });
    await maria.shareWithProxy({ text, patient: "Maria Ortiz", purpose: "PWATRNY", sections: ["summary"], until: Date.now() + 15_000 });
    await ana.acceptProxy(await maria.answerProxy({ id: next }));
    const refused = async () => (await ana.readFor({ id: next, reason: "" })).refused;
    await expect.poll(refused, { timeout: 60_000, interval: 500 }).toEqual([{ section: "summary", why: "expired" }]);
    await maria.sync();
    expect((await maria.activity()).rows[0]).toMatchObject({ by: { kind: "proxy" }, section: "summary", outcome: "expired" });
  }, 120_000);
});
