/**
 * A claim from its first step to its last, and as this browser keeps it, under its own key: what the patient's index says of it (spec/browser.md).
 */

import type { Claimed, ClaimState } from "../api.ts";
import { concat, utf8, wipe } from "../bytes.ts";
import { type Claim, claimedOf, decodeClaim, encodeClaim } from "../claimed.ts";
import { openWith, type Sealed, sealWith } from "../crypto/aes.ts";
import { fail } from "../failure.ts";
import type { Patient } from "../keys.ts";
import type { Store } from "../store.ts";
import { beginClaim, claimOf, isTaken, takeOver, turn } from "./claim.ts";
import { unlock } from "./locks.ts";
import type { Session } from "./session.ts";

/** What the settings say of a claim. */
interface Marks {
  claim?: ClaimState;
  enrolled?: boolean;
}

/** Claims a chart, or goes on where that broke off. */
export async function claimChart(s: Session, card: string | undefined, mark: (m: Marks) => Promise<void>): Promise<Claimed> {
  let claim = await claimOf(s);
  claim ??= await beginClaim(s, card ?? fail("card", "nothing was claimed yet"));
  await keepClaim(s, claim);
  await mark({ claim: "going" });
  await keepClaim(s, await takeOver(s, claim));
  wipe(claim.root);
  await turn(s);
  await mark({ enrolled: true });
  const { done, of } = await unlock(s);
  await mark({ claim: "done" });
  return { records: of, opens: done };
}

/** The claim of who comes with the words, if there is one. */
export async function findClaim(s: Session): Promise<Marks> {
  const claim = await claimOf(s);
  if (!claim) return { enrolled: false };
  await keepClaim(s, claim);
  return (await isTaken(s)) ? { enrolled: true, claim: "done" } : { enrolled: false, claim: "going" };
}

const aadOf = (p: Patient) => concat(utf8("vitalog/v1/portal/claim"), p.network);

/** The patient with the keys of what was claimed, if anything was. */
export async function claimant(own: Patient, store: Store): Promise<Patient> {
  const sealed = await store.get<Sealed>("state", "claim");
  if (!sealed) return own;
  const plain = (await openWith(own.local, aadOf(own), sealed)) ?? fail("damaged", "the claim that this browser keeps does not open");
  const claim = decodeClaim(plain);
  wipe(plain);
  return claimedOf(own, claim);
}

/** Keeps a claim, and has the session go on with its keys: what it knew of other logs is forgotten. */
async function keepClaim(s: Session, c: Claim): Promise<void> {
  const plain = encodeClaim(c);
  await s.store.put("state", "claim", await sealWith(s.patient.local, aadOf(s.patient), plain));
  wipe(plain);
  s.patient = await claimedOf(s.patient, c);
  s.logs.clear();
  s.opened.clear();
  s.notes = null;
}
