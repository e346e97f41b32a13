/**
 * What pages see of the vault: plain data in and out, and never a key. The vault runs in a worker of its own; remote.ts gives pages a Vault that
 * asks it. Whatever is called verified here was checked in the worker: hashes, signatures, receipts under the genesis' validators.
 *
 *     const vault = connect(worker);
 *     await vault.begin({ home: location.origin });            genesis pinned
 *     await vault.create({ passphrase });                      keys, then vault.words(), vault.enrol()
 *     await vault.sync();  const chart = await vault.record();
 *
 * Times are milliseconds since 1970; ids and hashes are lower-case hex without prefix. Calls that fail throw a VaultError.
 */

import type { GrantState, Party, Reason, SectionName } from "./names.ts";

export type { GrantState, Party, Reason, SectionName } from "./names.ts";
export { clinicalSections, purposes, sections } from "./names.ts";

/** Why a call failed; pages have a sentence for each. `detail` is for the developer's console only and names no patient. */
export type Failure =
  | "locked" // unlock first
  | "no-patient" // nothing is kept in this browser
  | "has-patient" // somebody's keys are kept in this browser: forget them first
  | "wrong-passphrase"
  | "wrong-words" // no 24 words of the list, or their checksum is wrong
  | "wrong-passkey"
  | "weak-passphrase" // shorter than 12 characters
  | "not-enrolled" // the words lead to no logs on this network
  | "unreachable" // the home member doesn't answer: try again
  | "busy" // the home member has done enough in this minute
  | "not-shared" // not there, or not for you
  | "conflict" // was done before, or meets another change
  | "refused" // the ledger refuses; detail has its reason
  | "invalid" // the caller's mistake
  | "other-network" // the home member shows another genesis than the pinned one
  | "altered" // an answer does not follow from what the validators signed: somebody hides or alters
  | "damaged" // what is kept in this browser doesn't read: recover with the words
  | "internal";

export interface VaultError extends Error {
  failure: Failure;
  detail: string;
}

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
  autoLock: number; // minutes without a call, other than state and sync, until the vault locks; 0: never
  chart: string; // the chart's id, "" unless open
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
  upTo: number; // the newest signed header's time
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
  further: boolean; // another use of what was opened before
  outcome: Reason;
  count: number; // more than 1: refusals counted together
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
  records: number; // how many records of today it covers
  from: number; // 0: at once
  until: number; // 0: until stopped
  uses: number; // 0: any number
  used: number;
  opened: number; // accesses that were allowed under it
  lastOpened: number; // 0: never
  state: GrantState;
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

/** The answer to a request: what of it is granted. Sections beyond those asked for are refused; none denies. */
export interface Answer {
  request: string;
  sections: SectionName[];
  until: number; // 0: until stopped
  uses: number;
  note: string; // words for who asked
  label: string;
}

export interface Final {
  block: number; // the newest block in which it is final
  signed: number;
  of: number;
}

export interface Synced {
  changed: boolean;
  entries: number; // new ones
  height: number;
  at: number;
  signed: number;
  of: number;
}

export interface Card {
  text: string; // vitalog:… for a QR code: who has it can ask, not read
}

export interface Progress {
  step: "logs" | "records" | "enrolling" | "sealing" | "submitting" | "proving";
  done: number;
  of: number;
}

export interface Vault {
  state(): Promise<State>;
  /** Pins the network: afterwards every answer is held against this genesis. */
  begin(o: Begin): Promise<Network>;

  /** Draws a root and keeps it sealed. The vault is open afterwards. */
  create(o: { passphrase: string }): Promise<State>;
  /** Takes the root from 24 words: any case and spacing. */
  recover(o: { words: string; passphrase: string }): Promise<State>;
  /** The 24 words, for the recovery kit. The passphrase is asked for again, unless the kit was never saved. */
  words(o: { passphrase?: string }): Promise<string[]>;
  /** Confirms that the kit was opened: words at places (from 1) as typed. False if one is wrong. */
  confirmWords(o: { places: number[]; words: string[] }): Promise<boolean>;
  /** Makes the patient's logs on the ledger. It can be repeated. */
  enrol(): Promise<Final>;

  unlock(o: { passphrase: string }): Promise<State>;
  unlockPasskey(o: { id: string; prf: Uint8Array }): Promise<State>;
  /** Another way to unlock; the passphrase is asked for again. */
  addPasskey(o: { id: string; name: string; salt: string; prf: Uint8Array; passphrase: string }): Promise<State>;
  removePasskey(o: { id: string }): Promise<State>;
  /** Passkeys are forgotten with the old passphrase: add them again. */
  changePassphrase(o: { old: string; new: string }): Promise<State>;
  lock(): Promise<State>;
  setAutoLock(o: { minutes: number }): Promise<State>;
  /** Deletes keys and cache from this browser. The words bring all of it back. */
  forget(): Promise<State>;

  /** Fetches and proves what is new in all sections. The others answer from what the last sync proved. */
  sync(): Promise<Synced>;
  record(): Promise<Chart>;
  proof(o: { section: SectionName; entry: number }): Promise<Proof>;
  /** The bytes of a Binary that came as an attachment, with its content type. */
  attachment(o: { section: SectionName; entry: number }): Promise<Blob>;
  activity(): Promise<Activity>;
  requests(): Promise<{ requests: Request[]; spam: number }>;
  grants(): Promise<Grant[]>;
  card(): Promise<Card>;

  /** Writes a resource of the patient's own: an observation, a questionnaire. Final when it returns. */
  write(o: { json: string; section?: SectionName }): Promise<Final>;
  share(o: Share): Promise<Final>;
  answer(o: Answer): Promise<Final>;
  /** Ends grants and begins a new epoch for what is written from now on. */
  stop(o: { grants: string[] }): Promise<Final>;
  stopAll(): Promise<Final>;
  /** Hides records from one grantee: the grant is given anew without these entries, under another id, and the old one ends. */
  hide(o: { grant: string; entries: number[] }): Promise<Final>;
  /** Blocks the record of a version for everybody else, for ever. */
  erase(o: { section: SectionName; entries: number[] }): Promise<Final>;

  /** All resources as a FHIR Bundle (collection), or the whole log of accesses with entries and receipts, as JSON. */
  exportRecord(): Promise<Blob>;
  exportActivity(): Promise<Blob>;
}

/** What the worker tells without being asked. */
export type Notice = { kind: "locked" } | { kind: "progress"; progress: Progress };
