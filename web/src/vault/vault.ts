/**
 * The vault: what api.ts promises, over the flows. Keys live here from unlock to lock; everything that was opened goes with them. It runs in a worker
 * (worker.ts) and under a test alike.
 */

import type { Notice, State, Vault } from "./api.ts";
import { type Bytes, hex, random, unhex, wipe } from "./bytes.ts";
import { placeOf } from "./chart/types.ts";
import { fail } from "./failure.ts";
import { activity } from "./flows/activity.ts";
import { bytesOf } from "./flows/attachment.ts";
import { enrol, isEnrolled } from "./flows/enrol.ts";
import { bundle, signedLog } from "./flows/export.ts";
import { hide } from "./flows/hide.ts";
import { answer, requests } from "./flows/inbox.ts";
import { networkOf } from "./flows/party.ts";
import { publish } from "./flows/publish.ts";
import { chart } from "./flows/record.ts";
import type { Session } from "./flows/session.ts";
import { grants, share, stop } from "./flows/sharing.ts";
import { place, submit } from "./flows/submit.ts";
import { logOf, proofOf, provenBy, restoreLogs, syncLogs } from "./flows/sync.ts";
import { handleText } from "./grant/message.ts";
import { discover, type Fetch, homeOf } from "./home.ts";
import { addPasskey, changePassphrase, makeRing, openByPasskey, openByPassphrase, type Ring } from "./keyring.ts";
import { patientOf } from "./keys.ts";
import { type Genesis, parseGenesis } from "./ledger/genesis.ts";
import { sign } from "./ledger/operation.ts";
import { rangesOf } from "./ledger/terms.ts";
import { type SectionName, sections } from "./names.ts";
import type { Store } from "./store.ts";
import { rootOf, wordsOf } from "./words.ts";

export interface Surroundings {
  store: Store;
  fetch: Fetch;
  notify(n: Notice): void;
}

interface Pinned {
  json: string;
  member: number;
  home: string;
}

interface Settings {
  kitSaved: boolean;
  enrolled: boolean;
  autoLock: number;
}

const fresh: Settings = { kitSaved: false, enrolled: false, autoLock: 5 };

export function vaultOf(env: Surroundings): Vault {
  const { store } = env;
  let session: Session | null = null;
  let kit: Bytes | null = null; // the root of who was just made, until the words are confirmed or the vault locks

  const pinned = (): Promise<Pinned | undefined> => store.get<Pinned>("state", "network");
  let read: { json: string; genesis: Genesis } | null = null;
  const genesisOf = (json: string): Genesis => {
    if (read?.json !== json) read = { json, genesis: parseGenesis(json) };
    return read.genesis;
  };
  const ring = (): Promise<Ring | undefined> => store.get<Ring>("state", "ring");
  const settings = async (): Promise<Settings> => ({ ...fresh, ...(await store.get<Settings>("state", "settings")) });
  const set = async (s: Partial<Settings>): Promise<void> => store.put("state", "settings", { ...(await settings()), ...s });
  const open = (): Session => session ?? fail("locked", "unlock first");
  const own = async (): Promise<Ring> => (await ring()) ?? fail("no-patient", "nothing is kept in this browser");

  const state = async (): Promise<State> => {
    const [net, r, { kitSaved, enrolled, autoLock }] = [await pinned(), await ring(), await settings()];
    return {
      phase: session ? "open" : r ? "locked" : "none",
      network: net ? networkOf(genesisOf(net.json), net.member) : null,
      passphrase: r !== undefined,
      passkeys: (r?.passkeys ?? []).map(({ id, name, salt }) => ({ id, name, salt })),
      kitSaved,
      enrolled,
      autoLock,
      chart: session?.patient.chart ?? "",
    };
  };

  /** Takes over the root and overwrites it. */
  const begin = async (root: Bytes): Promise<void> => {
    const net = (await pinned()) ?? fail("no-patient", "begin with a network");
    const genesis = genesisOf(net.json);
    const patient = await patientOf(genesis.network, root);
    const home = homeOf(net.home, net.member, env.fetch);
    const progress = (p: Parameters<Session["progress"]>[0]): void => env.notify({ kind: "progress", progress: p });
    session = {
      genesis,
      member: net.member,
      home,
      patient,
      store,
      logs: new Map(),
      syncing: Promise.resolve(),
      opened: new Map(),
      progress,
    };
    await restoreLogs(session);
  };

  const keep = async (root: Bytes, passphrase: string): Promise<void> => {
    if (await ring()) fail("has-patient", "keys are kept in this browser already");
    const net = (await pinned()) ?? fail("no-patient", "begin with a network");
    await store.put("state", "ring", await makeRing(genesisOf(net.json).network, root, passphrase));
    await begin(root.slice());
  };

  const forgetKit = (): void => {
    if (kit) wipe(kit);
    kit = null;
  };

  /** A session whose logs were proved at least once. */
  const proved = async (): Promise<Session> => {
    const s = open();
    if (s.logs.size < sections.length) await syncLogs(s);
    return s;
  };

  return {
    state,
    begin: async ({ home, network }) => {
      const found = await discover(home, env.fetch);
      const before = await pinned();
      const want = before ? genesisOf(before.json).network : network === undefined ? found.genesis.network : unhex(network, 32);
      if (hex(want) !== hex(found.genesis.network)) return fail("other-network", "the home member belongs to another network");
      await store.put("state", "network", { json: found.json, member: found.member, home });
      return networkOf(found.genesis, found.member);
    },

    create: async ({ passphrase }) => {
      const root = random(32);
      await keep(root, passphrase);
      forgetKit();
      kit = root;
      return state();
    },
    recover: async ({ words, passphrase }) => {
      const root = rootOf(words);
      await keep(root, passphrase);
      wipe(root);
      await set({ kitSaved: true, enrolled: await isEnrolled(open()) });
      return state();
    },
    words: async ({ passphrase }) => {
      open();
      if (kit) return wordsOf(kit);
      const root = await openByPassphrase(await own(), passphrase ?? "");
      const words = wordsOf(root);
      wipe(root);
      return words;
    },
    confirmWords: async ({ places, words }) => {
      const want = wordsOf(kit ?? fail("locked", "show the words again first"));
      const right =
        places.length > 0 && places.length === words.length && places.every((p, i) => want[p - 1] === words[i]?.trim().toLowerCase());
      if (!right) return false;
      forgetKit();
      await set({ kitSaved: true });
      return true;
    },
    enrol: async () => {
      const final = await enrol(open());
      await set({ enrolled: true });
      return final;
    },

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
      await store.clear();
      return state();
    },

    sync: async () => {
      const s = open();
      const entries = await syncLogs(s);
      const { height, upTo: at, signed, of } = provenBy(s);
      return { changed: entries > 0, entries, height, at, signed, of };
    },
    record: async () => chart(await proved()),
    proof: async ({ section, entry }) => {
      const s = await proved();
      const p = await proofOf(s, logOf(s, section).log, entry);
      return { log: hex(p.log), entry: p.number, height: p.height, at: p.at, signed: p.signed, of: p.of };
    },
    attachment: async (o) => bytesOf(await proved(), o.section, o.entry),
    activity: async () => activity(await proved()),
    requests: async () => requests(await proved()),
    grants: async () => grants(await proved()),
    card: async () => ({ text: await handleText(open().patient) }),

    write: async ({ json, section }) => {
      const s = await proved();
      const { resourceType: type, id } = JSON.parse(json) as { resourceType?: string; id?: string };
      const where = section ?? (placeOf(type ?? "") as SectionName);
      if (!type || !sections.slice(0, 17).includes(where)) return fail("invalid", "no resource that goes into a section");
      const final = await publish(s, where, [{ type, id: id ?? hex(random(16)), json, supersedes: [] }]);
      await syncLogs(s, [where]);
      return final;
    },
    share: async (o) => (await share(await proved(), o)).final,
    answer: async (o) => answer(await proved(), o),
    stop: async (o) => stop(await proved(), (g) => o.grants.includes(g.id)),
    stopAll: async () => stop(await proved(), () => true),
    hide: async (o) => hide(await proved(), o.grant, o.entries),
    erase: async ({ section, entries }) => {
      const s = await proved();
      const k = await s.patient.section(section);
      const ranges = rangesOf(entries.toSorted((a, b) => a - b));
      const o = await sign(s.genesis.network, k.owner, k.log, { kind: "erase-block", ranges });
      const final = await place(s, [o], await submit(s, [o]));
      await syncLogs(s, [section]);
      return final;
    },

    exportRecord: async () => bundle(await chart(await proved())),
    exportActivity: async () => {
      const s = await proved();
      return signedLog(s, (await pinned())!.json, await activity(s));
    },
  };
}
