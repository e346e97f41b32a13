/** The plain data that pages get from the vault and hand to it. Times are milliseconds since 1970; ids and hashes are lower-case hex without prefix. */

import type { GrantState, Party, Reason, SectionName } from "./names.ts";

export interface Member {
  number: number;
  name: string;
  kind: string; // hospital, pharmacy, lab, insurer …
}

export interface Network {
  id: string;
  name: string;
  founded: number;
  members: Member[];
  validators: number;
  home: number; // the number of the member that this browser asks
}

/** What the start page needs to choose what to show. */
export interface State {
  phase: "none" | "locked" | "open";
  network: Network | null; // null until begin
  passphrase: boolean; // ways to unlock
  passkeys: Passkey[];
  kitSaved: boolean; // the words were opened once and confirmed
  enrolled: boolean;
  claim: ClaimState;
  autoLock: number; // minutes without a call, but for those that show what there is, until the vault locks; 0: never
  chart: string; // the chart's id, "" unless open
}

/**
 * Of a chart that is claimed with a card: "card" until the patient's own notes have it, which needs the card; "going" until all of it is the patient's, which
 * needs none; then "done".
 */
export type ClaimState = "none" | "card" | "going" | "done";

/** What a claim came to: how many records were written in custody, and how many of them the patient's keys open now. */
export interface Claimed {
  records: number;
  opens: number;
}

/** What a device without keys shows to one that has them: its code as people type it, and the link of the QR code. It is good for ten minutes. */
export interface Offered {
  code: string;
  link: string;
}

/** A passkey that unwraps the root: pages pass its id and `prfSalt` to navigator.credentials.get and hand over what PRF gives. */
export interface Passkey {
  id: string; // base64url of the credential's id
  name: string; // the device's, as the person typed it
  salt: string; // hex, the input of PRF
}

export interface Begin {
  home: string; // origin of the home member
  network?: string; // hex, if it is known from elsewhere (a card, a link): another one is refused
}

export interface Proof {
  log: string;
  entry: number;
  height: number; // of the signed header
  at: number; // the header's time
  signed: number;
  of: number;
}

export interface Author {
  member: string; // name of the organisation; "" for the patient and the patient's devices
  number: number; // of the member, -1 for none
  practitioner: string;
  name: string;
  role: string;
  own: boolean; // signed by the writer of the entry, who is no member: the patient or a device
  device: string; // its name, if it is one
}

/** One version of a resource: where it stands and who signed it. Each was opened, its signature checked, its entry proven by a receipt. */
export interface Version {
  section: SectionName;
  log: string;
  entry: number; // also FHIR's versionId
  block: number;
  at: number; // on the ledger clock
  created: number; // the author's clock
  record: string;
  author: Author;
  status: "active" | "entered-in-error" | "deleted";
  blocked: boolean; // erased for everybody else
  json: string; // FHIR as a reader answers it; "" if deleted
}

export interface Resource {
  key: string; // type/id
  type: string;
  id: string;
  current: Version;
  versions: Version[]; // oldest first, the current one too
  forked: boolean; // more than one head
  foreign: number; // versions under the same id by another author, which don't count
}

/** A record that is on the ledger and did not open. It fails alone. */
export interface Problem {
  section: SectionName;
  log: string;
  entry: number;
  block: number;
  at: number;
  why: "missing" | "altered" | "not-for-owner" | "unknown-author" | "unreadable";
  by: Party;
}

export interface Chart {
  resources: Resource[]; // newest current version first; deleted ones too
  problems: Problem[];
  upTo: number; // the time of a signed header: nothing from before it is missing
  signed: number; // validators that signed, at the least
  of: number;
}

/** One row of the access log, by entries of all sections. */
export interface Access {
  id: string; // log/entry
  section: SectionName;
  entry: number;
  block: number;
  at: number;
  by: Party;
  purpose: string; // v3-ActReason, of the key or of the detail
  practitioner: string;
  person: string; // "" where the reader left no readable detail, or for a machine
  role: string;
  organisation: string; // a ward or clinic, as the reader says
  reason: string; // why, in the reader's words
  machine: boolean;
  explained: boolean; // a detail is there, opens and is signed by the member
  introduced: boolean; // the key is one that the patient granted, introduced by that same member
  records: number;
  resources: string[]; // keys of the resources in those records, as far as they opened
  kept: boolean; // it was the copy that the author keeps of what is destroyed
  further: boolean; // another use of what was opened before
  link: { sections: SectionName[] } | null; // opened by a health link: `person` is what somebody said of themselves; "no-such-grant" is a wrong passcode
  outcome: Reason;
  count: number; // more than 1: refusals counted together
  reviewed: boolean; // the patient said that it was right
}

export interface Activity {
  rows: Access[]; // newest first
  proven: boolean; // always true: an unproven log is an error
  signed: number;
  of: number;
  upTo: number;
}

export interface Request {
  id: string;
  entry: number;
  block: number;
  at: number;
  from: Party;
  purpose: string;
  practitioner: string;
  person: string;
  role: string;
  organisation: string;
  reason: string;
  sections: SectionName[];
  careFrom: number; // the care that the data is from, 0: open
  careUntil: number;
  lasts: number; // ms, 0: until stopped
  uses: number; // 0: any number
  answered: boolean;
  granted: boolean;
}

export interface Grant {
  id: string; // section/entry
  to: Party;
  section: SectionName;
  entry: number;
  block: number;
  at: number;
  purpose: string;
  label: string;
  rights: ("write" | "read" | "post" | "sub-grant" | "act-for")[];
  everything: boolean; // all entries, those to come too
  ranges: { from: number; to: number }[]; // entries that may be read, from ≤ n < to
  records: number; // how many records of today it covers
  from: number; // 0: at once
  until: number; // 0: until stopped
  uses: number; // 0: any number
  used: number;
  opened: number; // accesses that were allowed under it
  lastOpened: number; // 0: never
  state: GrantState;
}

/** Whose invitation it is, as they say. */
export interface Invited {
  id: string;
  name: string;
}

/** What a person may read for the patient. */
export interface ProxyShare {
  text: string; // the invitation's
  patient: string; // the patient's own name, which the proxy sees
  purpose: string;
  sections: SectionName[];
  until: number; // 0: until stopped
}

/** Somebody for whom this person reads. */
export interface ReadsFor {
  id: string;
  name: string;
  purpose: string;
  sections: SectionName[];
}

export interface RefusedSection {
  section: SectionName;
  why: Reason;
}

/** Somebody else's chart, as far as it is shared now. */
export interface ReadChart extends Chart {
  refused: RefusedSection[];
}

export interface Share {
  member: number;
  purpose: string;
  sections: SectionName[];
  rights: ("read" | "write")[];
  from?: number;
  until?: number; // 0 or absent: until stopped
  uses?: number;
  label?: string;
}

/** A code that whoever has it and the passcode reads by (spec/health-links.md). */
export interface NewLink {
  sections: SectionName[];
  lasts: number; // ms, at most 90 days
  uses: number; // 1 to 1000
  passcode?: string; // 6 to 64 bytes; "" or absent: six digits are drawn
  label?: string; // for the patient alone
}

export interface Link {
  id: string; // of its grant, which stop ends
  label: string;
  sections: SectionName[];
  resources: number;
  block: number;
  at: number;
  until: number;
  uses: number;
  used: number;
  wrong: number; // passcodes that were refused
  wrongLeft: number;
  lastOpened: number; // 0: never
  state: GrantState | "locked";
  text: string; // shlink:/…
  passcode: string;
}

/** The answer to a request: what of it is granted. Sections beyond those asked for are refused; none denies. */
export interface Answer {
  request: string;
  sections: SectionName[];
  until: number; // 0: until stopped
  uses: number;
  note: string; // words for who asked
  label: string;
}

/** How records are erased, for ever: nobody but the patient opens them any more, or nobody at all. */
export type Erasure = "block" | "destroy";

/** What an erasure takes: resources with all their versions, by their keys; a section; or everything. */
export type Taken = { keys: string[] } | { section: SectionName } | { all: true };

/** What an erasure would take. */
export interface Erasable {
  /** Records that are still there, those of them that are not blocked, and how many resources show by them now. */
  parts: { section: SectionName; records: number; open: number; resources: number }[];
  along: string[]; // keys of other resources in the same sealed records, which go along
  links: number; // health links that hold some of it, which end
}

/** An author keeps a copy of its own, as the law asks of it. */
export interface KeptCopy {
  by: Party;
  until: number; // on the ledger clock
}

/** Something that was erased, as far as it was one deed. */
export interface Erased {
  id: string; // of its first order: log/entry
  how: Erasure;
  by: Party;
  at: number;
  block: number;
  parts: { section: SectionName; records: number }[];
  orders: ErasureOrder[];
  kept: KeptCopy[];
}

/** An entry that blocks or destroys. */
export interface ErasureOrder {
  section: SectionName;
  entry: number;
}

/** What the members of the network have said since of what was ordered destroyed, verified. */
export interface Certified {
  members: { number: number; name: string; deleted: number }[]; // when it said that it had deleted all of it, on the ledger clock; 0: not yet
  file: Blob; // which anybody verifies offline who has the genesis
}

export interface Final {
  block: number; // the newest block in which it is final
  signed: number;
  of: number;
}

export interface Synced {
  changed: boolean;
  entries: number; // new ones
  height: number; // of a signed header: every log is known as it was then, or later
  at: number;
  signed: number;
  of: number;
}

export interface Card {
  text: string; // vitalog:… for a QR code: who has it can ask, not read
}

/** What became of an export's readings. */
export interface Imported {
  written: number;
  known: number; // were in the record already
  left: number; // of types, units or times that can't be told
  block: number; // 0 if nothing was written
}

export interface Progress {
  step:
    | "logs"
    | "records"
    | "enrolling"
    | "claiming"
    | "locks"
    | "sealing"
    | "submitting"
    | "proving"
    | "reading"
    | "importing"
    | "erasing";
  done: number;
  of: number;
}
