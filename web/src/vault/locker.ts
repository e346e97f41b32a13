/**
 * Keys from unlock to lock: what is kept of them in the browser, the ways to open it, and the session that works with them. Everything that was opened
 * goes with the session.
 */

import type { Notice, Vault } from "./api.ts";
import { type Bytes, random, wipe } from "./bytes.ts";
import type { Fetch } from "./discover.ts";
import { doorOf } from "./door.ts";
import { fail } from "./failure.ts";
import { claimant, claimChart, findClaim } from "./flows/claimed.ts";
import { enrol, isEnrolled } from "./flows/enrol.ts";
import { readNotes } from "./flows/notes.ts";
import { type Awaiting, type Meeting, meet, offer } from "./flows/pairing.ts";
import type { Session } from "./flows/session.ts";
import { restoreLogs, syncLogs } from "./flows/sync.ts";
import type { Ask } from "./helpers.ts";
import { homeOf } from "./home.ts";
import { addPasskey, changePassphrase, makeRing, openByPasskey, openByPassphrase, type Ring } from "./keyring.ts";
import { patientOf } from "./keys.ts";
import { sections } from "./names.ts";
import { alone } from "./opening.ts";
import type { Store } from "./store.ts";
import { rootOf, wordsOf } from "./words.ts";

export interface Surroundings {
  store: Store;
  fetch: Fetch;
  helpers?: Ask; // by itself it does without
  notify(n: Notice): void;
}

type Keys =
  | "create"
  | "recover"
  | "words"
  | "confirmWords"
  | "enrol"
  | "claim"
  | "offerPairing"
  | "pairingNumber"
  | "pairingKeys"
  | "keepPairing"
  | "meetPairing"
  | "givePairing"
  | "endPairing"
  | "unlock"
  | "unlockPasskey"
  | "addPasskey"
  | "removePasskey";

export interface Locker {
  calls: Pick<Vault, "state" | "begin" | Keys | "changePassphrase" | "lock" | "setAutoLock" | "forget">;
  /** The session, if the vault is open. */
  open(): Session;
  /** The same, after its logs were proved at least once. */
  proved(): Promise<Session>;
}

export function lockerOf(env: Surroundings): Locker {
  const { store, helpers: ask = alone } = env;
  let session: Session | null = null;
  let kit: Bytes | null = null; // the root of who was just made, until the words are confirmed or the vault locks
  let awaiting: Awaiting | null = null; // on a device without keys
  let given: Bytes | null = null; // the root that another device gave, until it is kept
  let meeting: Meeting | null = null; // on one with keys

  const door = doorOf(env, () => session?.patient.chart ?? null);
  const { ring, set } = door;
  const { state } = door.calls;
  const open = (): Session => session ?? fail("locked", "unlock first");
  const own = async (): Promise<Ring> => (await ring()) ?? fail("no-patient", "nothing is kept in this browser");

  /** Takes over the root and overwrites it. */
  const begin = async (root: Bytes): Promise<void> => {
    const { genesis, member, home: base } = await door.pinned();
    const patient = await claimant(await patientOf(genesis.network, root, true, (q) => ask("kem", q)), store);
    const home = homeOf(base, member, env.fetch);
    const progress = (p: Parameters<Session["progress"]>[0]): void => env.notify({ kind: "progress", progress: p });
    session = {
      genesis,
      member,
      home,
      patient,
      store,
      agreed: new Map(),
      logs: new Map(),
      syncing: Promise.resolve(),
      notes: null,
      unlocked: new Map(),
      reads: null,
      others: new Map(),
      opened: new Map(),
      ask,
      progress,
    };
    await restoreLogs(session);
  };

  const keep = async (root: Bytes, passphrase: string): Promise<void> => {
    if (await ring()) fail("has-patient", "keys are kept in this browser already");
    const { genesis } = await door.pinned();
    await store.put("state", "ring", await makeRing(genesis.network, root, passphrase));
    await begin(root.slice());
  };

  const forgetKit = (): void => {
    if (kit) wipe(kit);
    kit = null;
  };

  /** Keeps the root of a patient who has been on this network before. */
  const comeBack = async (root: Bytes, passphrase: string): Promise<void> => {
    await keep(root, passphrase);
    wipe(root);
    const s = open();
    await set({ kitSaved: true, ...((await isEnrolled(s)) ? { enrolled: true } : await findClaim(s)) });
  };

  const endPairing = (): void => {
    awaiting?.end();
    if (given) wipe(given);
    [awaiting, given, meeting] = [null, null, null];
  };

  /** A session whose logs were proved at least once. */
  const proved = async (): Promise<Session> => {
    const s = open();
    if (s.logs.size < sections.length) await syncLogs(s);
    if (s.patient.claimed) await readNotes(s); // they have what opens the records of the custody's time
    return s;
  };

  const calls: Locker["calls"] = {
    ...door.calls,

    create: async ({ passphrase, claim }) => {
      const root = random(32);
      await keep(root, passphrase);
      forgetKit();
      kit = root;
      if (claim) await set({ claim: "card" });
      return state();
    },
    recover: async ({ words, passphrase }) => {
      await comeBack(await rootOf(words), passphrase);
      return state();
    },
    words: async ({ passphrase }) => {
      open();
      if (kit) return wordsOf(kit);
      const root = await openByPassphrase(await own(), passphrase ?? "");
      const words = await wordsOf(root);
      wipe(root);
      return words;
    },
    confirmWords: async ({ places, words }) => {
      const want = await wordsOf(kit ?? fail("locked", "show the words again first"));
      const right =
        places.length > 0 && places.length === words.length && places.every((p, i) => want[p - 1] === words[i]?.trim().toLowerCase());
      if (!right) return false;
      forgetKit();
      await set({ kitSaved: true });
      return true;
    },
    enrol: async () => {
      const final = await enrol(open());
      await set({ enrolled: true, claim: "none" });
      return final;
    },

    claim: ({ card }) => claimChart(open(), card, set),

    offerPairing: async () => {
      endPairing();
      if (await ring()) fail("has-patient", "keys are kept in this browser already");
      const { genesis, member, home: base } = await door.pinned();
      awaiting = await offer(homeOf(base, member, env.fetch), genesis.network, member);
      return awaiting.offered;
    },
    pairingNumber: () => (awaiting ?? fail("invalid", "no code was made")).number(),
    pairingKeys: async () => {
      const mine = awaiting ?? fail("invalid", "no code was made");
      const root = await mine.root();
      if (awaiting === mine) given = root;
      else wipe(root);
    },
    keepPairing: async ({ passphrase }) => {
      await comeBack(given ?? fail("invalid", "no keys were given"), passphrase);
      endPairing();
      return state();
    },
    meetPairing: async ({ code }) => {
      endPairing();
      meeting = await meet(await proved(), code);
      return { number: meeting.number };
    },
    givePairing: async ({ passphrase }) => {
      const to = meeting ?? fail("invalid", "no device was met");
      const root = await openByPassphrase(await own(), passphrase);
      await to.give(root);
      wipe(root);
      endPairing();
    },
    endPairing: async () => endPairing(),

    unlock: async ({ passphrase }) => {
      await begin(await openByPassphrase(await own(), passphrase));
      return state();
    },
    unlockPasskey: async ({ id, prf }) => {
      await begin(await openByPasskey(await own(), id, new Uint8Array(prf)));
      return state();
    },
    addPasskey: async ({ passphrase, prf, ...k }) => {
      await store.put("state", "ring", await addPasskey(await own(), passphrase, k, new Uint8Array(prf)));
      return state();
    },
    removePasskey: async ({ id }) => {
      const r = await own();
      await store.put("state", "ring", { ...r, passkeys: r.passkeys.filter((k) => k.id !== id) });
      return state();
    },
    changePassphrase: async (o) => {
      await store.put("state", "ring", await changePassphrase(await own(), o.old, o.new));
      return state();
    },
    lock: async () => {
      session = null;
      forgetKit();
      endPairing();
      env.notify({ kind: "locked" });
      return state();
    },
    setAutoLock: async ({ minutes }) => {
      await set({ autoLock: Math.max(0, Math.min(24 * 60, minutes)) });
      return state();
    },
    forget: async () => {
      session = null;
      forgetKit();
      endPairing();
      await store.clear();
      return state();
    },
  };
  return { calls, open, proved };
}
