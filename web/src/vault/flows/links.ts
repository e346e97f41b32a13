/**
 * Health links: what somebody without an account reads with a code and a passcode (spec/health-links.md). The app encrypts; the home member keeps the
 * ciphertext, and has each opening on the patient's ledger before it hands it out.
 */

import type { Final, Grant, Link, NewLink } from "../api.ts";
import { type Bytes, hex, random, utf8, wipe } from "../bytes.ts";
import { aes } from "../crypto/aes.ts";
import { signerOf } from "../crypto/ed25519.ts";
import { encrypted } from "../crypto/jwe.ts";
import { padme } from "../envelope/pad.ts";
import { fail } from "../failure.ts";
import { checkPasscode, linkAddress, linkText, sealLink, wrongPasscodes } from "../grant/link.ts";
import { bySection, limits, line, within } from "../grant/sealed.ts";
import { readRight } from "../ledger/terms.ts";
import { clinicalSections } from "../names.ts";
import { bundle } from "./export.ts";
import { readNotes, writeNote } from "./notes.ts";
import { chart } from "./record.ts";
import type { Session } from "./session.ts";
import { grants } from "./sharing.ts";
import { place, signed, submit } from "./submit.ts";
import { logOf, syncLogs } from "./sync.ts";

const most = { lasts: 90 * 86_400_000 - 60_000, uses: 1000, file: 4 << 20 };

/**
 * Makes a link. Crash points: after the note nothing is shared. After the grant and before the file is at the home member the link opens nothing; it is listed, and can be
 * stopped like others.
 */
export async function makeLink(s: Session, x: NewLink): Promise<Final & { id: string }> {
  const sections = [...new Set(x.sections)].sort(bySection);
  if (sections.length === 0 || !sections.every((n) => clinicalSections.includes(n))) return fail("invalid", "a link to nothing");
  if (!(x.lasts > 0 && x.lasts <= most.lasts && Number.isInteger(x.uses) && x.uses > 0 && x.uses <= most.uses))
    return fail("invalid", "a link without an end");
  const label = within(line(x.label ?? ""), limits.label);
  const [token, seed, secret, passcode] = [random(32), random(32), random(32), checkPasscode(x.passcode || digits())];
  const url = linkAddress(await s.home.linkBase(), token);
  await syncLogs(s);
  const c = await chart(s);
  const all = c.resources.filter((r) => shared(r) && sections.includes(r.current.section));
  const file = await encrypted(await aes(secret.slice()), "application/fhir+json", padded(bundle(all, c.upTo)));
  if (file.length > most.file) return fail("invalid", `a file of ${file.length} bytes: choose fewer sections`);

  const [k, key] = [await s.patient.section("index"), await signerOf(seed.slice())];
  const resources = all.map((r) => r.key);
  await writeNote(s, { label, link: { key: key.public, member: s.member, url, secret, passcode, sections, resources } });
  await syncLogs(s, ["index"]);
  const entry = (await readNotes(s)).names.get(hex(key.public))?.link?.entry ?? fail("internal", "the note about a link is not there");
  const from = BigInt(entry);
  const until = BigInt(s.home.now() + x.lasts);
  const terms = { key: key.public, rights: readRight, ranges: [{ from, to: from + 1n }], from: 0n, until, uses: x.uses, parent: 0n };
  const to = s.genesis.members[s.member]!.exchange;
  const sealed = await sealLink(s.genesis.network, k.log, k.exchange.public, to, key, { token, seed, passcode }, file);
  wipe(seed);
  const o = await signed(s, k.owner, k.log, { kind: "grant", terms, message: await s.home.putBlob(sealed) });
  const results = await submit(s, [o]);
  const final = await place(s, [o], results);
  await s.home.putLink(k.log, results[0]!.first, file);
  await syncLogs(s, ["index"]);
  return { ...final, id: `index/${results[0]!.first}` };
}

/** What a reader is told of: current, not taken back, and no bytes of their own. */
const shared = (r: { type: string; current: { status: string; blocked: boolean; json: string } }): boolean =>
  r.type !== "Binary" && r.current.status === "active" && !r.current.blocked && r.current.json !== "";

/** Filled up with spaces, so that a length tells little. */
function padded(json: string): Bytes {
  const plain = utf8(json);
  const out = new Uint8Array(padme(plain.length)).fill(0x20);
  out.set(plain);
  return out;
}

/** Six digits. */
function digits(): string {
  const b = random(8);
  return String(new DataView(b.buffer).getBigUint64(0) % 1_000_000n).padStart(6, "0");
}

/** All links, the newest first. */
export async function links(s: Session): Promise<Link[]> {
  const [notes, log] = [await readNotes(s), logOf(s, "index")];
  const list = (await grants(s)).flatMap((g): Link[] => {
    const key = hex(log.head.grants.find((x) => x.entry === g.entry)?.terms.key ?? new Uint8Array(0));
    const note = notes.names.get(key)?.link;
    if (g.section !== "index" || !note) return [];
    const refused = log.entries.filter((e) => e.says.kind === "access" && e.says.why === "no-such-grant" && hex(e.signer) === key);
    const wrong = Math.min(refused.length, wrongPasscodes);
    return [
      {
        id: g.id,
        label: g.label,
        sections: note.sections,
        resources: note.resources.length,
        block: g.block,
        at: g.at,
        until: g.until,
        uses: g.uses,
        used: g.used,
        wrong,
        wrongLeft: wrongPasscodes - wrong,
        lastOpened: g.lastOpened,
        state: stateOf(g, wrong),
        text: linkText({ url: note.url, secret: note.secret, until: g.until }),
        passcode: note.passcode,
      },
    ];
  });
  return list.sort((a, b) => b.at - a.at);
}

const stateOf = (g: Grant, wrong: number): Link["state"] => (g.state === "in-force" && wrong >= wrongPasscodes ? "locked" : g.state);
