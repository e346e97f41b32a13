/** What a patient tells the home member of a health link (spec/health-links.md), and the link itself. */

import { type Bytes, base64url, concat, sha256, sha256Large, utf8 } from "../bytes.ts";
import type { Signer } from "../crypto/ed25519.ts";
import { fail } from "../failure.ts";
import { line, sealMessage, writeVersion } from "./sealed.ts";

const info = "vitalog/v1/health-link";
const [shortest, longest] = [6, 64]; // bytes of a passcode

/** Wrong passcodes that lock a link. */
export const wrongPasscodes = 5;

export interface LinkSecrets {
  token: Bytes; // stands in the address
  seed: Bytes; // of the key that the grant names
  passcode: string;
}

export function checkPasscode(passcode: string): string {
  const n = utf8(passcode).length;
  return n >= shortest && n <= longest && line(passcode) === passcode ? passcode : fail("invalid", `a passcode of ${n} bytes`);
}

/** Seals to the home member what it takes to put openings on the ledger. What decrypts the file is not in it. */
export async function sealLink(
  network: Bytes,
  log: Bytes,
  owner: Bytes,
  to: Bytes,
  key: Signer,
  l: LinkSecrets,
  file: Bytes,
): Promise<Bytes> {
  const w = writeVersion().fixed(network).fixed(log).fixed(sha256(l.token)).fixed(l.seed).fixed(owner).text(l.passcode);
  const plain = w
    .fixed(await sha256Large(file))
    .u32(file.length)
    .done();
  return sealMessage(to, info, concat(network, log, key.public), plain);
}

/** The address of a link's token, if the member's own is one that fits into a code. */
export function linkAddress(base: string, token: Bytes): string {
  const address = `${base}${base64url(token)}`;
  return /^https?:\/\/[^\s"\\]+\/shl\/$/.test(base) && address.length <= 128
    ? address
    : fail("altered", "the home member's address is none for a link");
}

/** The link as text, which a code holds. Its label is the same for everybody. */
export function linkText(l: { url: string; secret: Bytes; until: number }): string {
  const payload = { url: l.url, key: base64url(l.secret), exp: Math.floor(l.until / 1000), flag: "P", label: "Health record" };
  return `shlink:/${base64url(utf8(JSON.stringify(payload)))}`;
}
