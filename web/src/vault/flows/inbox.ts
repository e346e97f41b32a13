/** Requests that members leave in the patient's inbox, and answers, which come back by the same way (spec/grant.md). */

import type { Answer, Final, Request } from "../api.ts";
import { type Bytes, equal, hex, random } from "../bytes.ts";
import { signerOf } from "../crypto/ed25519.ts";
import { fail, kindOf } from "../failure.ts";
import { sealAnswer } from "../grant/message.ts";
import { openRequest, type Wish } from "../grant/request.ts";
import { bySection, limits, lines, within } from "../grant/sealed.ts";
import { rights } from "../names.ts";
import { buyTicket, postSubject } from "../ticket.ts";
import { blobOf, gather } from "./blobs.ts";
import { type Answered, readNotes, writeNote } from "./notes.ts";
import { memberParty } from "./party.ts";
import type { Session } from "./session.ts";
import { type Given, share } from "./sharing.ts";
import { place, signed, submit } from "./submit.ts";
import { logOf, type Placed, syncLogs } from "./sync.ts";

interface Received {
  wish: Wish;
  entry: Placed;
}

/** Requests in the order in which they came. Posts that don't open, or whose message nobody has, are counted in spam. */
export async function requests(s: Session): Promise<{ requests: Request[]; spam: number }> {
  const { received, spam, answers } = await inbox(s);
  return { requests: received.map((r) => shown(s, r, answers.get(r.wish.id))), spam };
}

async function inbox(s: Session): Promise<{ received: Received[]; spam: number; answers: Map<string, Answered> }> {
  const { answers } = await readNotes(s);
  const own = new Set([...answers.values()].map((a) => hex(a.message)));
  const log = logOf(s, "inbox");
  const keys = await s.patient.section("inbox");
  const received: Received[] = [];
  let spam = 0;
  await gather(
    s,
    log.entries.flatMap((e) => (e.says.kind === "post" ? [e.says.message] : [])),
  );
  for (const entry of log.entries) {
    if (entry.says.kind !== "post" || own.has(hex(entry.says.message))) continue;
    try {
      const sealed = await blobOf(s, entry.says.message);
      received.push({ wish: await openRequest(keys.exchange, s.genesis, log.log, sealed), entry });
    } catch (e) {
      if (!["not-shared", "altered"].includes(kindOf(e))) throw e;
      spam++;
    }
  }
  return { received, spam, answers };
}

function shown(s: Session, { wish, entry }: Received, answer: Answered | undefined): Request {
  return {
    id: wish.id,
    entry: entry.number,
    block: entry.block,
    at: entry.at,
    from: memberParty(s.genesis, wish.member),
    purpose: wish.purpose,
    practitioner: wish.practitioner,
    person: wish.name,
    role: wish.role,
    organisation: wish.organisation,
    reason: wish.reason,
    sections: wish.sections,
    careFrom: Number(wish.from),
    careUntil: Number(wish.until),
    lasts: Number(wish.lasts),
    uses: wish.uses,
    answered: answer !== undefined,
    granted: answer?.granted ?? false,
  };
}

/**
 * Grants what the patient chose of a request, no other sections and rights than were asked for, and tells who asked. The note is on the ledger before the post, so that the
 * inbox knows its own; what broke off between is posted again.
 */
export async function answer(s: Session, a: Answer): Promise<Final> {
  await syncLogs(s, ["inbox", "index"]);
  const { received, answers } = await inbox(s);
  const wish = received.find((r) => r.wish.id === a.request)?.wish ?? fail("not-shared", "there is no such request");
  let told = answers.get(a.request);
  let shared: Final | null = null;
  if (!told) {
    within(lines(a.note), limits.reason); // before anything is granted
    const sections = [...new Set(a.sections)].sort(bySection);
    if (sections.some((x) => !wish.sections.includes(x))) return fail("invalid", "more than was asked for");
    let given: Given[] = [];
    if (sections.length > 0) {
      const asked = (["read", "write"] as const).filter((r) => wish.rights & rights[r]);
      const x = await share(s, {
        member: wish.member,
        purpose: wish.purpose,
        sections,
        rights: asked,
        until: a.until,
        uses: a.uses,
        label: a.label,
      });
      [shared, given] = [x.final, x.given];
    }
    told = await seal(s, wish, given, a.note);
    await writeNote(s, { answer: told });
  }
  const posted = await post(s, told);
  await syncLogs(s, ["inbox", "index"]);
  return posted ?? shared ?? fail("conflict", "the request was answered");
}

async function seal(s: Session, wish: Wish, given: Given[], note: string): Promise<Answered> {
  const keys = await s.patient.section("inbox");
  const denied = wish.sections.filter((x) => !given.some((g) => g.section === x));
  const to = s.genesis.members[wish.member]!.exchange;
  const said = { request: wish.id, given, denied, note: lines(note) };
  const sealed = await sealAnswer(s.genesis.network, keys.log, keys.owner, to, said);
  return { request: wish.id, granted: given.length > 0, message: await s.home.putBlob(sealed), size: sealed.length };
}

/** Posts an answer under a key that nobody will see again; null if it is there. */
async function post(s: Session, told: Answered): Promise<Final | null> {
  const log = logOf(s, "inbox");
  const isIt = (message: Bytes): boolean => equal(message, told.message);
  if (log.entries.some((e) => e.says.kind === "post" && isIt(e.says.message))) return null;
  const once = await signerOf(random(32));
  const issuer = s.genesis.members[s.member]!.tickets;
  const ticket = await buyTicket(s.member, issuer, postSubject(log.log, once.public), (blinded) => s.home.ticket(blinded));
  const o = await signed(s, once, log.log, { kind: "post", message: told.message, size: told.size, ticket });
  return place(s, [o], await submit(s, [o]));
}
