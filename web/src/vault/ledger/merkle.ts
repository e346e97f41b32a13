/** Trees of RFC 6962 over leaves of 32 bytes (spec/log.md). One root fits one list of leaves. */

import { type Bytes, concat, equal, sha256 } from "../bytes.ts";
import { fail } from "../failure.ts";

export const maxPath = 64;

const leafHash = (leaf: Uint8Array): Bytes => sha256(concat(new Uint8Array([0]), leaf));
const nodeHash = (left: Uint8Array, right: Uint8Array): Bytes => sha256(concat(new Uint8Array([1]), left, right));

/** Refuses a proof that doesn't lead from the leaf at index, among size leaves, to the root: too long, too short, or another's. */
export function checkInclusion(root: Bytes, size: number, index: number, leaf: Bytes, path: Bytes[], what: string): void {
  const bad = (why: string): never => fail("altered", `${what}: ${why}`);
  if (index >= size) bad(`leaf ${index} of ${size}`);
  let node = leafHash(leaf);
  let last = size - 1;
  const half = (x: number): number => Math.floor(x / 2);
  const climb = (): void => {
    // Where a node has no sibling on the right, it stands in for its parent.
    while (last > 0 && index % 2 === 0 && index === last) [index, last] = [half(index), half(last)];
  };
  for (const p of path) {
    climb();
    if (last === 0) bad("the path is too long");
    node = index % 2 === 1 ? nodeHash(p, node) : nodeHash(node, p);
    [index, last] = [half(index), half(last)];
  }
  climb();
  if (last !== 0 || !equal(node, root)) bad("the path does not lead to the root");
}

/** The right edge of a growing tree: roots of complete subtrees, the largest first. It can be kept and grown further. */
export interface Frontier {
  size: number;
  nodes: Bytes[];
}

export const emptyFrontier = (): Frontier => ({ size: 0, nodes: [] });

/** The frontier with a leaf more; f itself is not changed. */
export function grown(f: Frontier, leaves: Bytes[]): Frontier {
  const nodes = f.nodes.slice();
  let size = f.size;
  for (const leaf of leaves) {
    let node = leafHash(leaf);
    for (let n = size; n % 2 === 1; n = Math.floor(n / 2)) node = nodeHash(nodes.pop()!, node);
    nodes.push(node);
    size++;
  }
  return { size, nodes };
}

export function rootOfFrontier(f: Frontier): Bytes {
  if (f.nodes.length === 0) return sha256(new Uint8Array(0));
  return f.nodes.reduceRight((right, left) => nodeHash(left, right));
}

/** The same tree over leaves of any length, as the consensus engine hashes headers and validators. */
export function treeHash(leaves: Bytes[]): Bytes {
  if (leaves.length === 0) return sha256(new Uint8Array(0));
  if (leaves.length === 1) return leafHash(leaves[0]!);
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}
