import { IDBFactory } from "fake-indexeddb";
import { describe, expect, test } from "vitest";
import { hex, random, unhex } from "./bytes.ts";
import { addPasskey, changePassphrase, makeRing, openByPasskey, openByPassphrase, type Ring } from "./keyring.ts";
import { browserStore, memoryStore } from "./store.ts";
import { vectors } from "./testing/vectors.ts";

const network = unhex("07".repeat(32));
const root = unhex("42".repeat(32));
const passphrase = "correct horse battery";

describe("the keys of a browser", () => {
  test("open by the passphrase, and by a passkey that was added", async () => {
    const ring = await makeRing(network, root.slice(), passphrase);
    expect(hex(await openByPassphrase(ring, passphrase))).toBe(hex(root));
    await expect(openByPassphrase(ring, "correct horse batterx")).rejects.toMatchObject({ failure: "wrong-passphrase" });
    await expect(makeRing(network, root, "eleven char")).rejects.toMatchObject({ failure: "weak-passphrase" });

    const [prf, other] = [random(32), random(32)];
    await expect(addPasskey(ring, "wrong", { id: "a", name: "phone", salt: "00" }, prf.slice())).rejects.toMatchObject({
      failure: "wrong-passphrase",
    });
    const two = await addPasskey(ring, passphrase, { id: "a", name: "phone", salt: "00" }, prf.slice());
    expect(hex(await openByPasskey(two, "a", prf.slice()))).toBe(hex(root));
    for (const [id, b] of [
      ["a", other],
      ["b", prf],
    ] as const)
      await expect(openByPasskey(two, id, b.slice())).rejects.toMatchObject({ failure: "wrong-passkey" });

    const anew = await changePassphrase(two, passphrase, "another passphrase");
    expect(hex(await openByPassphrase(anew, "another passphrase"))).toBe(hex(root));
    await expect(openByPassphrase(anew, passphrase)).rejects.toMatchObject({ failure: "wrong-passphrase" });
    expect(anew.passkeys).toEqual([]);
  }, 60_000);

  test("are read as the vectors say", async () => {
    const v = vectors<{ root: string; passphrase: string; prf: string; ring: object }>("browser");
    const bytes = (k: string, x: unknown) =>
      ["network", "nonce", "cipher"].includes(k) || (k === "salt" && String(x).length === 32) ? unhex(String(x)) : x;
    const ring = JSON.parse(JSON.stringify(v.ring), bytes) as Ring;
    expect(hex(await openByPassphrase(ring, v.passphrase))).toBe(v.root);
    expect(hex(await openByPasskey(ring, ring.passkeys[0]!.id, unhex(v.prf)))).toBe(v.root);
  }, 60_000);

  test("are of one network, and damage is told from a wrong passphrase", async () => {
    const ring = await makeRing(network, root.slice(), passphrase);
    const cipher = ring.root.cipher.slice();
    cipher[3]! ^= 1;
    await expect(openByPassphrase({ ...ring, root: { ...ring.root, cipher } }, passphrase)).rejects.toMatchObject({ failure: "damaged" });
    await expect(openByPassphrase({ ...ring, network: random(32) }, passphrase)).rejects.toMatchObject({ failure: "wrong-passphrase" });
    await expect(openByPassphrase({ ...ring, passphrase: { ...ring.passphrase, memory: 2 << 20 } }, passphrase)).rejects.toMatchObject({
      failure: "damaged",
    });
  }, 60_000);

  test.each([
    ["IndexedDB", () => browserStore(new IDBFactory())],
    ["a map", memoryStore],
  ])(
    "come back from %s as they were kept",
    async (_, make) => {
      const store = make();
      const ring = await makeRing(network, root.slice(), passphrase);
      await store.put("state", "ring", ring);
      await store.put("blobs", "aa", root);
      const back = await store.get<Ring>("state", "ring");
      expect(back).toEqual(ring);
      expect(hex(await openByPassphrase(back!, passphrase))).toBe(hex(root));
      expect(await store.get("blobs", "bb")).toBeUndefined();
      await store.clear();
      expect(await store.get("state", "ring")).toBeUndefined();
      expect(await store.get("blobs", "aa")).toBeUndefined();
    },
    60_000,
  );
});
