/** What the consensus engine hashes and signs (spec/receipt.md): CometBFT's headers and votes in protobuf, integers of 0 and empty bytes left out. */

import { type Bytes, concat, isZero, utf8 } from "../bytes.ts";
import { treeHash } from "./merkle.ts";

export interface Time {
  seconds: number;
  nanos: number;
}

export interface BlockId {
  hash: Bytes;
  total: number;
  parts: Bytes;
}

export interface Header {
  block: number;
  app: number;
  height: number;
  time: Time;
  last: BlockId;
  hashes: Bytes[]; // lastCommit data validators nextValidators params appHash lastResults evidence
  proposer: Bytes;
}

const power = 10;
const precommit = 2;

function varint(x: number): Bytes {
  const out: number[] = [];
  let v = BigInt(x);
  for (; v > 127n; v >>= 7n) out.push(Number(v & 127n) | 128);
  out.push(Number(v));
  return new Uint8Array(out);
}

const uint = (field: number, x: number): Bytes => (x === 0 ? new Uint8Array(0) : concat(varint(field << 3), varint(x)));
const message = (field: number, m: Uint8Array): Bytes => concat(varint((field << 3) | 2), varint(m.length), m);
const bytes = (field: number, b: Uint8Array): Bytes => (b.length === 0 ? new Uint8Array(0) : message(field, b));

function fixed(field: number, x: number): Bytes {
  if (x === 0) return new Uint8Array(0);
  const b = new Uint8Array(8);
  new DataView(b.buffer).setBigUint64(0, BigInt(x), true);
  return concat(varint((field << 3) | 1), b);
}

const timestamp = (t: Time): Bytes => concat(uint(1, t.seconds), uint(2, t.nanos));

function blockId(id: BlockId): Bytes {
  if (isZero(id.hash) && id.total === 0 && isZero(id.parts)) return message(2, new Uint8Array(0));
  return concat(bytes(1, id.hash), message(2, concat(uint(1, id.total), bytes(2, id.parts))));
}

export function headerHash(h: Header, chain: string): Bytes {
  return treeHash([
    concat(uint(1, h.block), uint(2, h.app)),
    bytes(1, utf8(chain)),
    uint(1, h.height),
    timestamp(h.time),
    blockId(h.last),
    ...h.hashes.map((x) => bytes(1, x)),
    bytes(1, h.proposer),
  ]);
}

/** What a validator signs when it votes for a block. */
export function voteBytes(chain: string, height: number, round: number, id: BlockId, at: Time): Bytes {
  const parts = [
    uint(1, precommit),
    fixed(2, height),
    fixed(3, round),
    message(4, blockId(id)),
    message(5, timestamp(at)),
    bytes(6, utf8(chain)),
  ];
  const vote = concat(...parts);
  return concat(varint(vote.length), vote);
}

export const validatorsHash = (keys: Bytes[]): Bytes => treeHash(keys.map((k) => concat(message(1, bytes(1, k)), uint(2, power))));
