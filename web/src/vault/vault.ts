/** The vault: what api.ts promises, over the locker and the flows. It runs in a worker (worker.ts) and under a test alike. */

import type { Vault } from "./api.ts";
import { hex } from "./bytes.ts";
import { activity, review } from "./flows/activity.ts";
import { bytesOf, partOf } from "./flows/attachment.ts";
import { certificate } from "./flows/certificate.ts";
import { erasable, erase, erased } from "./flows/erase.ts";
import { bundle, signedLog } from "./flows/export.ts";
import { hide, unhide } from "./flows/hide.ts";
import { answer, requests } from "./flows/inbox.ts";
import { links, makeLink } from "./flows/links.ts";
import { readNotes } from "./flows/notes.ts";
import { acceptProxy, answerProxy, invite, invited, readsAll, shareWithProxy } from "./flows/proxy.ts";
import { importReadings } from "./flows/readings.ts";
import { leave, openFor } from "./flows/reads.ts";
import { chart } from "./flows/record.ts";
import { grants, share, stop } from "./flows/sharing.ts";
import { logOf, proofOf, provenBy, syncLogs } from "./flows/sync.ts";
import { remove, write } from "./flows/write.ts";
import { followerOf } from "./follow.ts";
import { handleText } from "./grant/message.ts";
import { lockerOf, type Surroundings } from "./locker.ts";

export function vaultOf(env: Surroundings): Vault {
  const { calls, open, proved } = lockerOf(env);
  const follower = followerOf(() => env.notify({ kind: "news" }));
  return {
    ...calls,
    lock: async () => {
      follower.stop();
      return calls.lock();
    },
    forget: async () => {
      follower.stop();
      return calls.forget();
    },
    sync: async () => {
      const s = open();
      const entries = await syncLogs(s);
      if (s === open()) follower.start(s);
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
    attachmentPart: async (o) => partOf(await proved(), o.section, o.entry, o.from),
    activity: async () => activity(await proved()),
    review: async (o) => review(await proved(), o.accesses),
    requests: async () => requests(await proved()),
    grants: async () => grants(await proved()),
    paired: async () => (await readNotes(await proved())).paired,
    links: async () => links(await proved()),
    card: async () => ({ text: await handleText(open().patient) }),

    write: async (o) => write(await proved(), o.json, o.section),
    remove: async (o) => remove(await proved(), o.key),
    importReadings: async (o) => importReadings(await proved(), o),
    share: async (o) => (await share(await proved(), o)).final,
    makeLink: async (o) => makeLink(await proved(), o),
    answer: async (o) => answer(await proved(), o),
    stop: async (o) => stop(await proved(), (g) => o.grants.includes(g.id)),
    stopAll: async () => stop(await proved(), () => true),
    hide: async (o) => hide(await proved(), o.grant, o.entries),
    unhide: async (o) => unhide(await proved(), o.grant, o.entries),
    erasable: async (o) => erasable(await proved(), o.of),
    erase: async (o) => erase(await proved(), o.how, o.of),
    erased: async () => erased(await proved()),
    certificate: async (o) => certificate(await proved(), o.orders),

    invite: async (o) => invite(open(), o.name),
    invited: async (o) => invited(await proved(), o.text),
    shareWithProxy: async (o) => shareWithProxy(await proved(), o),
    answerProxy: async (o) => answerProxy(await proved(), o.id),
    acceptProxy: async (o) => acceptProxy(await proved(), o.text),
    readsAll: async () => readsAll(await proved()),
    readFor: async (o) => openFor(await proved(), o.id, o.reason),
    leave: async (o) => leave(open(), o.id),

    exportRecord: async () => {
      const c = await chart(await proved());
      return new Blob([bundle(c.resources, c.upTo)], { type: "application/fhir+json" });
    },
    exportActivity: async () => {
      const s = await proved();
      return signedLog(s, await activity(s));
    },
  };
}
