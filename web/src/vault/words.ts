/** The 24 words (BIP-39, English) of a root: they are the root, not a seed made of it (spec/keyring.md). Failures repeat none of them. */

import { entropyToMnemonic, mnemonicToEntropy } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import type { Bytes } from "./bytes.ts";
import { fail } from "./failure.ts";

export const wordsOf = (root: Bytes): string[] => entropyToMnemonic(root, wordlist).split(" ");

/** The root of 24 words in any case and spacing. */
export function rootOf(words: string): Bytes {
  const list = words.toLowerCase().split(/\s+/u).filter(Boolean);
  if (list.length !== 24) return fail("wrong-words", `${list.length} words, want 24`);
  try {
    return new Uint8Array(mnemonicToEntropy(list.join(" "), wordlist));
  } catch {
    return fail("wrong-words", "the words do not fit together: one is wrong or in another place");
  }
}
