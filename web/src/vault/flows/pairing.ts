/**
 * Two devices of a patient meet in a mailbox at the home member, which sees a public key, random bytes and what is sealed to the key (spec/pairing.md).
 * The one side has a session, the other one nothing but the pinned network.
 */

import type { Offered } from "../api.ts";
import { type Bytes, equal, random } from "../bytes.ts";
import { decapsulatorOf } from "../crypto/xwing.ts";
import { fail, kindOf } from "../failure.ts";
import {
  helloSize,
  isOf,
  link,
  mailboxOf,
  numberOf,
  openKeys,
  pairingCode,
  parsePairing,
  sealKeys,
  transcriptOf,
} from "../grant/pairing.ts";
import type { Home } from "../home.ts";
import { writeNote } from "./notes.ts";
import type { Session } from "./session.ts";
import { syncLogs } from "./sync.ts";

const [keyPlace, helloPlace, rootPlace] = [0, 1, 2];
const pause = 1000; // ms between looks into the mailbox

/** A mailbox that isn't there was never made, is over, or was read. */
async function within<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (e) {
    const over = kindOf(e) === "not-shared" || kindOf(e) === "conflict";
    return over ? fail("pair-gone", "the mailbox is over, or somebody else answered") : Promise.reject(e);
  }
}

/** The side of the device without keys. */
export interface Awaiting {
  offered: Offered;
  /** When the other device is there: the number that both show. */
  number(): Promise<string>;
  /** When the other device has given them: the root. */
  root(): Promise<Bytes>;
  end(): void;
}

/** Makes a key pair for this pairing alone, and leaves the public key where the other device looks. */
export async function offer(home: Home, network: Bytes, member: number): Promise<Awaiting> {
  const nonce = random(16);
  const key = await decapsulatorOf(random(32));
  const mailbox = mailboxOf(network, nonce);
  await home.putPairing(mailbox, keyPlace, key.public);
  const code = pairingCode(network, member, nonce, key.public);
  let over = false;
  const wait = async (place: number): Promise<Bytes> => {
    for (;;) {
      if (over) return fail("pair-gone", "it was cancelled");
      const b = await within(home.pairing(mailbox, place));
      if (b.length > 0) return b;
      await new Promise((done) => setTimeout(done, pause));
    }
  };
  let transcript: Bytes | null = null;
  return {
    offered: { code: code.match(/.{4}/g)!.join("-"), link: `${link}${code}` },
    number: async () => {
      transcript = transcriptOf(network, nonce, key.public, await wait(helloPlace));
      return numberOf(transcript);
    },
    root: async () => {
      const sealed = await wait(rootPlace);
      try {
        return await openKeys(key, transcript ?? fail("invalid", "no other device is there yet"), sealed);
      } catch (e) {
        return kindOf(e) === "altered" ? fail("pair-swapped", "keys that were not sealed for this pairing") : Promise.reject(e);
      }
    },
    end: () => {
      over = true;
    },
  };
}

/** The side of the device with the keys, after it met the other one. */
export interface Meeting {
  number: string;
  give(root: Bytes): Promise<void>;
}

/** Holds the public key that the home member shows against the code, and says hello. */
export async function meet(s: Session, typed: string): Promise<Meeting> {
  const code = parsePairing(typed);
  const { network } = s.genesis;
  if (!equal(code.network, network.slice(0, 3)) || code.member !== s.member)
    return fail("pair-elsewhere", "the code is of another network or home member");
  const mailbox = mailboxOf(network, code.nonce);
  const key = await within(s.home.pairing(mailbox, keyPlace));
  if (!isOf(network, code, key)) return fail("pair-swapped", "the home member shows another key than the code's");
  const hello = random(helloSize);
  await within(s.home.putPairing(mailbox, helloPlace, hello));
  const transcript = transcriptOf(network, code.nonce, key, hello);
  return {
    number: numberOf(transcript),
    give: async (root) => {
      const sealed = await sealKeys(key, transcript, root);
      await writeNote(s, { paired: true }); // first: no device is without its line
      await syncLogs(s, ["index"]);
      await within(s.home.putPairing(mailbox, rootPlace, sealed));
    },
  };
}
