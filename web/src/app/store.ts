/** What the pages show, as signals: the vault's state and what the last sync proved. All of it is dropped when the vault locks. */
import { computed, signal } from "@preact/signals";
import { type Asked, asked } from "../fhir/corrections.ts";
import { type Item, item } from "../fhir/item.ts";
import { count, fill, words } from "../i18n/index.ts";
import { vaultInWorker } from "../link.ts";
import type { Activity, Chart, Failure, Grant, Link, Network, Progress, ReadChart, Request, State, VaultError } from "../vault/api.ts";
import { notice } from "./notice.ts";
import { place } from "./route.ts";
import type { View } from "./views.ts";

export const network = signal<Network | null>(null);
export const state = signal<State | null>(null);
const own = signal<Chart | null>(null);
export const activity = signal<Activity | null>(null);
export const requests = signal<{ requests: Request[]; spam: number } | null>(null);
/** But for those of health links, which are no organisation's. */
export const grants = signal<Grant[] | null>(null);
export const links = signal<Link[] | null>(null);
export const progress = signal<Progress | null>(null);

/** Somebody else's record that is open: it shows on these views and nowhere else, and every other view ends it. */
export const reading = signal<{ id: string; name: string; chart: ReadChart } | null>(null);
const readable: readonly View[] = ["/more/family/read", "/record", "/record/item", "/vitals", "/vitals/trend", "/medicines"];
export const another = computed(() => (readable.includes(place.value.view) ? reading.value : null));

/** What pages show: the person's own record, or the one that is read for another. */
export const chart = computed<Chart | null>(() => another.value?.chart ?? own.value);

/** Who wrote what the owner of the shown record wrote. */
export const ownerName = computed(() => another.value?.name ?? words.value.common.you);

/** Drops somebody else's record. */
export function leave() {
  const r = reading.value;
  reading.value = null;
  if (r) vault.leave({ id: r.id }).catch(explain);
}

/** Why the record could not be fetched; what was there stays. */
export const trouble = signal<Failure | "">("");
export const syncing = signal(false);

/** One sentence for everybody, read out too. Announcing it again makes it new. */
export const message = signal<{ text: string; bad: boolean; n: number }>({ text: "", bad: false, n: 0 });

export const items = computed<Item[]>(() => (chart.value?.resources ?? []).flatMap((r) => item(r) ?? []));
export const itemsByKey = computed(() => new Map(items.value.map((i) => [i.key, i])));
export const corrections = computed<Asked[]>(() => asked(chart.value?.resources ?? [], activity.value?.rows ?? []));
export const waiting = computed<Request[]>(() => (requests.value?.requests ?? []).filter((r) => !r.answered));

export const vault = vaultInWorker((n) => {
  if (n.kind === "locked") void settle();
  else if (n.kind === "news") hear();
  else progress.value = n.progress;
});

export function tell(text: string, bad = false) {
  message.value = { text, bad, n: message.value.n + 1 };
}

export const failureOf = (e: unknown): Failure => (e instanceof Error && "failure" in e ? (e as VaultError).failure : "internal");

/** What went wrong, for people; the detail is for the console, and names nobody. */
export function explain(e: unknown): string {
  const f = failureOf(e);
  console.info(f, e instanceof Error && "detail" in e ? (e as VaultError).detail : "");
  if (f === "locked") void settle();
  return words.value.failures[f] ?? words.value.failures.internal;
}

function drop() {
  own.value = null;
  reading.value = null;
  activity.value = null;
  requests.value = null;
  grants.value = null;
  links.value = null;
  trouble.value = "";
}

/** Takes the vault's state over; what was open goes when it is locked. */
export async function settle(next?: State): Promise<State> {
  const s = next ?? (await vault.state());
  if (s.phase !== "open") drop();
  state.value = s;
  if (s.network) network.value = s.network;
  return s;
}

async function show() {
  const [c, a, q, g, l] = await Promise.all([vault.record(), vault.activity(), vault.requests(), vault.grants(), vault.links()]);
  own.value = c;
  activity.value = a;
  requests.value = q;
  grants.value = g.filter((x) => x.to.kind !== "link");
  links.value = l;
  lookAgain(c);
}

const tries = 6;
let lacking = { what: "", times: 0 };

/** A record may be on the ledger before its ciphertext is at the home member: what is missing is looked for again, later and later. */
function lookAgain(c: Chart) {
  const what = c.problems.flatMap((p) => (p.why === "missing" ? [`${p.log}/${p.entry}`] : [])).join();
  lacking = { what, times: what === lacking.what ? lacking.times + 1 : 0 };
  if (what !== "" && lacking.times < tries) setTimeout(() => own.value && void refresh(false, true), 1000 * 2 ** lacking.times);
}

let last: Promise<void> = Promise.resolve();

/** The header up to which all of it was shown last. Calls that write sync too: what they brought is new to pages, though the next sync finds none of it. */
let shownAt = 0;

/** Fetches what is new and shows it, one after another; `anyway` also when only this app has changed something. */
export function refresh(aloud = false, anyway = false): Promise<void> {
  last = last.then(() => fetchNews(aloud, anyway));
  return last;
}

let heard = false; // of something whose fetching has not begun

/** Something came. What comes until it is fetched comes with it. */
function hear() {
  if (heard) return;
  heard = true;
  last = last.then(async () => {
    heard = false;
    await fetchNews(false, false);
    notice();
  });
}

async function fetchNews(aloud: boolean, anyway: boolean) {
  syncing.value = true;
  try {
    const s = await vault.sync();
    if (s.changed || s.height !== shownAt || anyway || own.value?.problems.length !== 0) {
      await show();
      shownAt = s.height;
    }
    trouble.value = "";
    if (aloud) tell(s.changed ? count(words.value.common.news, s.entries) : words.value.common.refreshed);
  } catch (e) {
    const said = explain(e);
    if (state.value?.phase !== "open") return;
    trouble.value = failureOf(e);
    if (aloud) tell(said, true);
    if (!own.value) await show().catch(explain); // what this device keeps opens without a network
  } finally {
    syncing.value = false;
    progress.value = null;
  }
}

/** Does something that ends on the ledger, says so, and shows what became of it. Tells whether it was done. */
export async function settled(done: string, act: () => Promise<{ block: number }>): Promise<boolean> {
  try {
    const f = await act();
    tell(`${done} ${fill(words.value.common.final, { block: String(f.block) })}`);
    await refresh(false, true);
    return true;
  } catch (e) {
    tell(explain(e), true);
    return false;
  } finally {
    progress.value = null;
  }
}
