/** Whether anything of a patient's keys or record stands in what a browser sent or keeps: as it is, in hex, and in base64 of any kind. */
import { hkdfSync } from "node:crypto";
import { mnemonicToEntropy } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";

const sections = Array.from({ length: 19 }, (_, i) => i + 1);

/** spec/keys.md, "Derive". */
const derive = (secret, use, context) => Buffer.from(hkdfSync("sha256", secret, use, Buffer.from(context), 32));

/** The root, what the first keys of each section are made of, and words of the record. */
function secretsOf(words, passphrase, plain) {
  const root = Buffer.from(mnemonicToEntropy(words.join(" "), wordlist));
  const all = [["the root", root]];
  for (const what of ["owner", "exchange", "reader"])
    for (const n of sections) {
      const seed = derive(root, `vitalog/v1/root/${what}`, [n]);
      all.push([`the seed of ${what} ${n}`, seed]);
      if (what !== "reader") continue;
      for (const epoch of [1, 2]) all.push([`the reader key ${n} of epoch ${epoch}`, derive(seed, "vitalog/v1/reader", [0, 0, 0, epoch])]);
    }
  all.push(["the local key", derive(root, "vitalog/v1/portal/local", [])]);
  for (const text of [passphrase, words.slice(0, 4).join(" "), ...plain]) all.push([JSON.stringify(text), Buffer.from(text)]);
  return all;
}

/** Every form in which bytes could go out unnoticed. */
function forms(b) {
  const inside = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), b])
      .toString("base64")
      .slice(shift ? 4 : 0)
      .slice(0, -4),
  );
  const texts = [b.toString("hex"), ...inside, ...inside.map((s) => s.replaceAll("+", "-").replaceAll("/", "_"))];
  return [b, ...texts.map((s) => Buffer.from(s))];
}

/** All that a page's origin keeps, as bytes. */
async function kept(page) {
  const texts = await page.evaluate(async () => {
    const flat = (x) => {
      if (x instanceof ArrayBuffer) return flat(new Uint8Array(x));
      if (ArrayBuffer.isView(x)) return [`bytes:${Array.from(x, (b) => b.toString(16).padStart(2, "0")).join("")}`];
      if (typeof x === "object" && x !== null) return Object.entries(x).flatMap(([k, v]) => [k, ...flat(v)]);
      return [String(x)];
    };
    const out = [location.href, document.cookie, ...flat({ ...localStorage }), ...flat({ ...sessionStorage }), ...flat(history.state)];
    out.push(...(await caches.keys()));
    for (const { name } of await indexedDB.databases()) {
      const db = await new Promise((done) => {
        const r = indexedDB.open(name);
        r.onsuccess = () => done(r.result);
      });
      for (const table of db.objectStoreNames) {
        const all = (what) =>
          new Promise((done) => {
            const r = db.transaction(table).objectStore(table)[what]();
            r.onsuccess = () => done(r.result);
          });
        out.push(...flat(await all("getAllKeys")), ...flat(await all("getAll")));
      }
      db.close();
    }
    return out;
  });
  return texts.map((t) => (t.startsWith("bytes:") ? Buffer.from(t.slice(6), "hex") : Buffer.from(t)));
}

/** What of it was found, and where. */
export async function leaks(page, sent, { words, passphrase, plain }) {
  const places = { "what was sent": Buffer.concat(sent), "what is kept": Buffer.concat(await kept(page)) };
  const found = [];
  for (const [what, bytes] of secretsOf(words, passphrase, plain))
    for (const [where, all] of Object.entries(places))
      if (forms(bytes).some((f) => all.includes(f))) found.push(`${what} stands in ${where}`);
  return { found, sizes: Object.fromEntries(Object.entries(places).map(([k, v]) => [k, v.length])) };
}
