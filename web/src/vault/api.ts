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

import type { SectionName } from "./names.ts";
import type {
  Activity,
  Answer,
  Begin,
  Card,
  Certified,
  Chart,
  Claimed,
  Erasable,
  Erased,
  Erasure,
  ErasureOrder,
  Final,
  Grant,
  Imported,
  Invited,
  Link,
  Network,
  NewLink,
  Offered,
  Progress,
  Proof,
  ProxyShare,
  ReadChart,
  ReadsFor,
  Request,
  Share,
  State,
  Synced,
  Taken,
} from "./shapes.ts";

export type { GrantState, Party, Reason, SectionName } from "./names.ts";
export { clinicalSections, purposes, sections } from "./names.ts";
export type * from "./shapes.ts";

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
  | "card" // no claim card: a character is missing or wrong
  | "card-version" // a card that a newer program made
  | "card-network" // a card of another network, or of a member that it doesn't have
  | "card-not-good" // the code opens nothing at the custodian: wrong, or a newer card was made
  | "card-used" // somebody came with it before, with other keys
  | "card-later" // too many wrong codes within the hour
  | "claimed-other" // somebody else has taken over a part of the chart
  | "no-lock" // a record of the custody's time that the patient's keys don't open yet
  | "proxy-code" // no invitation or answer of a proxy, or for somebody else
  | "pair-code" // no code of a new device: a character is missing or wrong
  | "pair-elsewhere" // it is at another network or home member
  | "pair-gone" // the code is over: used, cancelled, or older than ten minutes
  | "pair-swapped" // the home member put something of its own in the place of what a device said
  | "behind" // the home member shows an older state than was proved before
  | "damaged" // what is kept in this browser doesn't read: recover with the words
  | "internal";

export interface VaultError extends Error {
  failure: Failure;
  detail: string;
}

export interface Vault {
  state(): Promise<State>;
  /** Pins the network: afterwards every answer is held against this genesis. */
  begin(o: Begin): Promise<Network>;

  /** Draws a root and keeps it sealed. The vault is open afterwards; `claim` says that a card comes next. */
  create(o: { passphrase: string; claim?: boolean }): Promise<State>;
  /** Takes the root from 24 words: any case and spacing. */
  recover(o: { words: string; passphrase: string }): Promise<State>;
  /** Gets the keys from another device, step by step: a code for it, the number that both show, and what it gives; then they are kept. */
  offerPairing(): Promise<Offered>;
  /** Waits for the other device. Eight digits. */
  pairingNumber(): Promise<string>;
  /** Waits until the person there has said yes. */
  pairingKeys(): Promise<void>;
  keepPairing(o: { passphrase: string }): Promise<State>;
  /** Meets a device without keys by its code, as typed or as the link of its QR code. Nothing is given yet. */
  meetPairing(o: { code: string }): Promise<{ number: string }>;
  /** Gives the keys to the device that was met. The passphrase is asked for again. */
  givePairing(o: { passphrase: string }): Promise<void>;
  /** Ends a pairing on this side, whichever it is. */
  endPairing(): Promise<void>;
  /** When other devices got the keys. */
  paired(): Promise<number[]>;
  /** The 24 words, for the recovery kit. The passphrase is asked for again, unless the kit was never saved. */
  words(o: { passphrase?: string }): Promise<string[]>;
  /** Confirms that the kit was opened: words at places (from 1) as typed. False if one is wrong. */
  confirmWords(o: { places: number[]; words: string[] }): Promise<boolean>;
  /** Makes the patient's logs on the ledger. It can be repeated. */
  enrol(): Promise<Final>;
  /**
   * Takes a chart over with a claim card: its code as typed, or the link of its QR code. It goes on where it broke off, and once state.claim is "going" the
   * card is not needed.
   */
  claim(o: { card?: string }): Promise<Claimed>;

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
  /** Some of them, from 0 or from where the part before ended, and how many there are in all: for what is too large to be held. */
  attachmentPart(o: { section: SectionName; entry: number; from: number }): Promise<{ bytes: Blob; size: number }>;
  activity(): Promise<Activity>;
  /** The patient says that these accesses, by id, were right. */
  review(o: { accesses: string[] }): Promise<Final>;
  requests(): Promise<{ requests: Request[]; spam: number }>;
  grants(): Promise<Grant[]>;
  /** Health links, those that ended too; they are among the grants. */
  links(): Promise<Link[]>;
  card(): Promise<Card>;

  /**
   * Writes a resource of the patient's own: an observation, a questionnaire. With the id of one that the patient wrote it is the next version; of one that
   * another wrote it is a conflict. Final when it returns.
   */
  write(o: { json: string; section?: SectionName }): Promise<Final>;
  /** Ends a resource that the patient wrote, by its key (type/id). */
  remove(o: { key: string }): Promise<Final>;
  /** Writes the readings of an export of Apple Health, of days (2026-03-02) from `since` on, "" for all. It can be repeated. */
  importReadings(o: { file: Blob; since: string }): Promise<Imported>;
  share(o: Share): Promise<Final>;
  answer(o: Answer): Promise<Final>;
  /** Makes a health link of what the record has now. Returns the id of its grant. */
  makeLink(o: NewLink): Promise<Final & { id: string }>;
  /** Ends grants and begins a new epoch for what is written from now on. */
  stop(o: { grants: string[] }): Promise<Final>;
  stopAll(): Promise<Final>;
  /** Hides records from one grantee: the grant is given anew without these entries, under another id, and the old one ends. */
  hide(o: { grant: string; entries: number[] }): Promise<Final>;
  /** Shows such records again, by a grant that is given anew like that. */
  unhide(o: { grant: string; entries: number[] }): Promise<Final>;
  erasable(o: { of: Taken }): Promise<Erasable>;
  /**
   * Blocks records, or has every member destroy them: what this device has of those goes at once. Health links that hold some of it end first. What broke off goes
   * on with the same call.
   */
  erase(o: { how: Erasure; of: Taken }): Promise<Final>;
  /** What was erased, the newest first: not what was blocked before it was destroyed. */
  erased(): Promise<Erased[]>;
  /** Of orders to destroy. */
  certificate(o: { orders: ErasureOrder[] }): Promise<Certified>;

  /** The text by which somebody lets this person read for them: it tells the name, and opens nothing. */
  invite(o: { name: string }): Promise<{ text: string }>;
  invited(o: { text: string }): Promise<Invited>;
  shareWithProxy(o: ProxyShare): Promise<Final>;
  /** The text that the proxy's app needs, about what is shared with them now; by the invitation's id. */
  answerProxy(o: { id: string }): Promise<{ text: string }>;
  acceptProxy(o: { text: string }): Promise<ReadsFor>;
  readsAll(): Promise<ReadsFor[]>;
  /** Opens somebody else's chart: each call is an access that the patient sees, before anything is shown. */
  readFor(o: { id: string; reason: string }): Promise<ReadChart>;
  /** Drops what is open of that chart. */
  leave(o: { id: string }): Promise<void>;

  /** All resources as a FHIR Bundle (collection). */
  exportRecord(): Promise<Blob>;
  /** Every access with its receipt as JSON Lines, which `vitalog verify receipt` checks offline. */
  exportActivity(): Promise<Blob>;
}

/** What the worker tells without being asked. */
export type Notice = { kind: "locked" } | { kind: "progress"; progress: Progress } | { kind: "news" }; // news: sync brings something
