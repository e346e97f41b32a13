/**
 * What the vault keeps in the browser: sealed keys, settings, and what the home member serves to anybody who knows its id. IndexedDB serves pages; a map
 * serves tests. Nothing in it is plaintext but the genesis and settings, which name no patient.
 */

import { fail, kindOf } from "./failure.ts";

export const tables = ["state", "logs", "blobs", "records"] as const;
export type Table = (typeof tables)[number];

export interface Store {
  get<T>(table: Table, key: string): Promise<T | undefined>;
  /** In their order; all in one go. */
  getAll<T>(table: Table, keys: string[]): Promise<(T | undefined)[]>;
  /** It is durable, or a failure. */
  put(table: Table, key: string, value: unknown): Promise<void>;
  /** For what can be fetched again: where the browser has no room, it isn't kept. */
  cache(table: Table, rows: [key: string, value: unknown][]): Promise<void>;
  /** Deletes rows by their keys, and those whose keys begin with one and a slash: parts of it. */
  drop(table: Table, keys: string[]): Promise<void>;
  clear(): Promise<void>;
}

export function memoryStore(): Store {
  const all = new Map<string, unknown>();
  const get = <T>(table: Table, key: string) => structuredClone(all.get(`${table}/${key}`)) as T | undefined;
  const put = (table: Table, key: string, value: unknown) => void all.set(`${table}/${key}`, structuredClone(value));
  return {
    get: async (table, key) => get(table, key),
    getAll: async <T>(table: Table, keys: string[]) => keys.map((k) => get<T>(table, k)),
    put: async (table, key, value) => put(table, key, value),
    cache: async (table, rows) => {
      for (const [key, value] of rows) put(table, key, value);
    },
    drop: async (table, keys) => {
      for (const k of all.keys()) if (keys.some((x) => k === `${table}/${x}` || k.startsWith(`${table}/${x}/`))) all.delete(k);
    },
    clear: async () => all.clear(),
  };
}

const name = "vitalog";
const version = 1;

const done = <T>(r: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    r.onsuccess = () => resolve(r.result);
    r.onerror = () => reject(r.error);
  });

export function browserStore(factory: IDBFactory = indexedDB): Store {
  let db: Promise<IDBDatabase> | null = null;
  const open = (): Promise<IDBDatabase> => {
    const r = factory.open(name, version);
    r.onupgradeneeded = () => {
      for (const t of tables) r.result.createObjectStore(t);
    };
    return done(r);
  };
  const within = async <T>(names: Table[], mode: IDBTransactionMode, work: (tx: IDBTransaction) => Promise<T>): Promise<T> => {
    try {
      db ??= open();
      const tx = (await db).transaction(names, mode, {
        durability: mode === "readwrite" && names.includes("state") ? "strict" : "default",
      });
      const over = new Promise<void>((resolve, reject) => {
        tx.oncomplete = () => resolve();
        tx.onabort = () => reject(tx.error);
      });
      over.catch(() => undefined); // told by the request that failed
      const out = await work(tx);
      await over;
      return out;
    } catch {
      return fail("damaged", "this browser's storage does not work");
    }
  };
  const rows = <T>(table: Table, mode: IDBTransactionMode, work: (o: IDBObjectStore) => IDBRequest[]): Promise<T[]> =>
    within([table], mode, (tx) => Promise.all(work(tx.objectStore(table)).map((r) => done(r as IDBRequest<T>))));
  return {
    get: async <T>(table: Table, key: string) => (await rows<T | undefined>(table, "readonly", (o) => [o.get(key)]))[0],
    getAll: <T>(table: Table, keys: string[]) => rows<T | undefined>(table, "readonly", (o) => keys.map((k) => o.get(k))),
    put: async (table, key, value) => void (await rows(table, "readwrite", (o) => [o.put(value, key)])),
    cache: async (table, list) => {
      try {
        if (list.length > 0) await rows(table, "readwrite", (o) => list.map(([k, value]) => o.put(value, k)));
      } catch (e) {
        if (kindOf(e) !== "damaged") throw e;
      }
    },
    drop: async (table, keys) => {
      if (keys.length > 0)
        await rows(table, "readwrite", (o) => keys.flatMap((k) => [o.delete(k), o.delete(IDBKeyRange.bound(`${k}/`, `${k}/\uffff`))]));
    },
    clear: () =>
      within([...tables], "readwrite", async (tx) => void (await Promise.all(tables.map((t) => done(tx.objectStore(t).clear()))))),
  };
}
