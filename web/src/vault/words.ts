/**
 * The 24 words (BIP-39, English) of a root: they are the root, not a seed made of it (spec/keyring.md). Failures repeat none of them. The list is loaded
 * when somebody sees or types them.
 */

import type { Bytes } from "./bytes.ts";
import { fail } from "./failure.ts";

async function load() {
  const [bip39, { wordlist }] = await Promise.all([import("@scure/bip39"), import("@scure/bip39/wordlists/english.js")]);
  return { ...bip39, wordlist };
}

export async function wordsOf(root: Bytes): Promise<string[]> {
  const { entropyToMnemonic, wordlist } = await load();
  return entropyToMnemonic(root, wordlist).split(" ");
}

/** The root of 24 words in any case and spacing. */
export async function rootOf(words: string): Promise<Bytes> {
  const list = words.toLowerCase().split(/\s+/u).filter(Boolean);
  if (list.length !== 24) return fail("wrong-words", `${list.length} words, want 24`);
  const { mnemonicToEntropy, wordlist } = await load();
  try {
    return new Uint8Array(mnemonicToEntropy(list.join(" "), wordlist));
  } catch {
    return fail("wrong-words", "the words do not fit together: one is wrong or in another place");
  }
}
