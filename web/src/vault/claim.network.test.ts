/** The claim of a chart on a running network, which home/portal_test.go starts: a hospital has the patient in custody, and gives a card. */

import { describe, expect, test } from "vitest";
import type { Notice, Vault } from "./api.ts";
import { hex, utf8 } from "./bytes.ts";
import { parseCard } from "./grant/card.ts";
import { memoryStore, type Store } from "./store.ts";
import { vaultOf } from "./vault.ts";

const home = process.env.VITALOG_HOME ?? "";
const hospital = process.env.VITALOG_HOSPITAL ?? "";
const passphrase = "a patient's passphrase";

async function has<T>(deed: "custody" | "write" | "read", body: { chart?: string } = {}): Promise<T> {
  const r = await fetch(`${hospital}/${deed}`, { method: "POST", body: JSON.stringify(body) });
  if (!r.ok) throw new Error(`${deed}: ${await r.text()}`);
  return (await r.json()) as T;
}

function start(store: Store, ask: typeof fetch = fetch): { vault: Vault; notices: Notice[] } {
  const notices: Notice[] = [];
  return { vault: vaultOf({ store, fetch: (url, init) => ask(url, init), notify: (n) => notices.push(n) }), notices };
}

/** All bytes and texts in a value, in hex. */
function hexIn(x: unknown): string {
  if (x instanceof Uint8Array) return hex(x);
  if (typeof x === "string") return hex(utf8(x));
  return typeof x === "object" && x !== null ? Object.values(x).map(hexIn).join(" ") : "";
}

async function fresh(store = memoryStore(), ask: typeof fetch = fetch): Promise<{ vault: Vault; notices: Notice[] }> {
  const s = start(store, ask);
  await s.vault.begin({ home });
  expect((await s.vault.create({ passphrase, claim: true })).claim).toBe("card");
  return s;
}

/** A connection that fails where told, after the home member has answered. */
const breaking =
  (when: (call: string) => boolean): typeof fetch =>
  async (url, init) => {
    const r = await fetch(url, init);
    if (when(String(url).split("/").at(-1)!)) throw new TypeError("the tab was closed");
    return r;
  };

const pulse = async (vault: Vault) => (await vault.record()).resources.find((r) => r.id === "pulse-1");

describe.skipIf(home === "")("a claim on a running network", () => {
  let used = "";

  test("makes the chart the patient's: old and new records open, the hospital is a grantee that can be stopped", async () => {
    const { chart, card } = await has<{ chart: string; card: string }>("custody");
    const left: string[] = []; // what went over the network, or into the browser's storage
    const map = memoryStore();
    const put: Store["put"] = (table, key, value) => {
      left.push(hexIn([key, value]));
      return map.put(table, key, value);
    };
    const { vault, notices } = await fresh({ ...map, put }, async (url, init) => {
      left.push(hexIn([String(url), init?.body]));
      return fetch(url, init);
    });
    used = card;
    const words = await vault.words({});
    await expect(vault.claim({ card: card.slice(1) })).rejects.toMatchObject({ failure: "card" });
    await expect(vault.claim({})).rejects.toMatchObject({ failure: "card" });
    expect(await vault.claim({ card: `vitalog:claim?${card.replaceAll("-", "")}` })).toEqual({ records: 4, opens: 4 });
    expect(notices).toContainEqual({ kind: "progress", progress: { step: "locks", done: 4, of: 4 } });
    expect(await vault.state()).toMatchObject({ enrolled: true, claim: "done", chart });

    await vault.sync();
    expect((await vault.record()).problems).toEqual([]);
    const before = (await pulse(vault))!.versions.length;
    await has("write", { chart });
    await vault.sync();
    expect((await vault.record()).problems).toEqual([]);
    expect((await pulse(vault))!.versions.length).toBe(before + 2);

    const secret = hex(parseCard(card).secret);
    expect(left.length).toBeGreaterThan(20);
    for (const s of [secret, hex(utf8(card)), hex(utf8(card.replaceAll("-", "")))]) expect(left.some((x) => x.includes(s))).toBe(false);

    const { rows, proven } = await vault.activity();
    expect(proven).toBe(true);
    expect(rows.filter((r) => r.machine)).toMatchObject([
      { by: { name: "Member 1" }, purpose: "TREAT", outcome: "allowed", explained: true, introduced: true, records: 4, section: "vitals" },
    ]);
    const grants = await vault.grants();
    expect(grants.every((g) => g.to.kind === "member" && g.to.name === "Member 1" && g.state === "in-force")).toBe(true);
    expect(await has("read", { chart })).toEqual({ resources: 1 });

    // Another device, with nothing but the words.
    const other = start(memoryStore()).vault;
    await other.begin({ home });
    expect(await other.recover({ words: words.join(" "), passphrase })).toMatchObject({ enrolled: true, claim: "done", chart });
    await other.sync();
    expect((await other.record()).problems).toEqual([]);
    expect((await pulse(other))!.versions.length).toBe(before + 2);

    await other.stop({ grants: grants.filter((g) => g.section === "vitals").map((g) => g.id) });
    expect(await has("read", { chart })).toMatchObject({ refused: "revoked" });
  }, 180_000);

  test("goes on where it broke off, after any call", async () => {
    const { chart, card } = await has<{ chart: string; card: string }>("custody");
    const store = memoryStore();
    const cut = ["claim", "submit", "submit", "submit", "submit", "owner-locks", "submit"];
    const left = [...cut];
    const ask = breaking((call) => call === left[0] && left.shift() !== undefined);
    let { vault } = await fresh(store, ask);
    const words = await vault.words({});
    let attempts = 0;
    for (let claim = "card"; claim !== "done" && attempts < 2 * cut.length; attempts++) {
      const o = claim === "card" ? { card } : {};
      const failed = await vault.claim(o).then(
        () => "",
        (e: Error) => e.message,
      );
      expect(failed, String(attempts)).toMatch(/^(|unreachable: .*|conflict: .*)$/);
      if (attempts % 3 === 1) {
        ({ vault } = start(store, ask)); // the tab is opened again
        await vault.unlock({ passphrase });
      }
      claim = (await vault.state()).claim;
    }
    expect([left, attempts]).toEqual([[], cut.length + 1]);
    expect(words.length).toBe(24);
    await vault.sync();
    expect((await vault.record()).problems).toEqual([]);
    expect(await vault.state()).toMatchObject({ chart, enrolled: true, claim: "done" });
    expect(await vault.claim({})).toEqual({ records: 4, opens: 4 }); // there is nothing left to do
  }, 180_000);

  test("says in which way a card is not good", async () => {
    const card = used;
    const second = (await fresh()).vault;
    await expect(second.claim({ card })).rejects.toMatchObject({ failure: "card-used" });
    expect((await second.state()).claim).toBe("card");
    await second.enrol(); // an empty record instead
    expect(await second.state()).toMatchObject({ enrolled: true, claim: "none" });
    await expect(second.claim({ card })).rejects.toMatchObject({ failure: "conflict" });
    expect((await second.state()).claim).toBe("none");
  }, 180_000);
});
