/** How a network begins (spec/log.md). Its hash is the network's id for ever; whoever pins it can check everything else. */

import { type Bytes, compare, hex, sha256, unbase64, unhex, utf8 } from "../bytes.ts";
import { sound } from "../crypto/ed25519.ts";
import { publicSize } from "../crypto/xwing.ts";
import { fail } from "../failure.ts";
import { sum, writer } from "../wire.ts";

export interface GenesisMember {
  name: string;
  kind: string;
  validator: boolean;
  sign: Bytes;
  exchange: Bytes;
  tls: Bytes;
  consensus: Bytes;
  node: Bytes;
  tickets: Bytes; // DER of an RSA key
  endpoint: string;
  peer: string;
}

export interface Genesis {
  network: Bytes;
  chain: string; // the consensus engine's name
  name: string;
  founded: number;
  members: GenesisMember[];
  /** Vote keys in the order of the engine, by address. */
  validators: Bytes[];
}

const bad = (why: string): never => fail("other-network", `genesis: ${why}`);
const kinds = ["provider", "pharmacy", "lab", "insurer", "research", "registry"];
const paramNames = ["ceremonyPhase", "logOperations", "logBytes", "logsPerMember"] as const;
const maxMembers = 128;
const maxName = 128;
const maxEndpoint = 256;

function object(x: unknown, names: readonly string[]): Record<string, unknown> {
  if (typeof x !== "object" || x === null || Array.isArray(x)) return bad("no object");
  for (const n of Object.keys(x)) if (!names.includes(n)) bad(`unknown name ${n.slice(0, 20)}`);
  return x as Record<string, unknown>;
}

const string = (x: unknown, limit: number, least = 0): string =>
  typeof x === "string" && utf8(x).length <= limit && utf8(x).length >= least ? x : bad("a text is missing or too long");

const count = (x: unknown): number => (Number.isSafeInteger(x) && (x as number) > 0 ? (x as number) : bad("a number is missing"));

export function parseGenesis(json: string): Genesis {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch {
    return bad("no JSON");
  }
  const g = object(raw, ["version", "name", "founded", "params", "members"]);
  if (g.version !== 1) bad("a format version that this program does not read");
  const params = object(g.params, paramNames);
  const [ceremonyPhase, logOperations, logBytes, logsPerMember] = paramNames.map((n) => count(params[n]));
  const name = string(g.name, maxName, 1);
  const founded = count(g.founded);
  if (!Array.isArray(g.members) || g.members.length === 0 || g.members.length > maxMembers) return bad("no members, or too many");
  const members = g.members.map(member);
  checkKeys(members);

  const w = writer().u32(1).text(name).u64(founded).u64(ceremonyPhase!).u32(logOperations!).u64(logBytes!).u64(logsPerMember!);
  w.u32(members.length);
  for (const m of members) {
    w.text(m.name).text(m.kind).flag(m.validator).fixed(m.sign).bytes(m.exchange).fixed(m.tls).fixed(m.consensus).fixed(m.node);
    w.bytes(m.tickets).text(m.endpoint).text(m.peer);
  }
  const network = sum("vitalog/v1/genesis", w.done());
  const validators = members.filter((m) => m.validator).map((m) => m.consensus);
  if (validators.length === 0) bad("no member is a validator");
  validators.sort((a, b) => compare(address(a), address(b)));
  return { network, chain: `vitalog-${hex(network.slice(0, 8))}`, name, founded, members, validators };
}

const address = (key: Bytes): Bytes => sha256(key).slice(0, 20);

function member(raw: unknown): GenesisMember {
  const m = object(raw, ["name", "kind", "validator", "sign", "exchange", "tls", "consensus", "node", "tickets", "endpoint", "peer"]);
  const key = (x: unknown): Bytes => unhex(string(x, 67), 32, "vk:");
  if (typeof m.validator !== "boolean") bad("a flag is missing");
  const kind = string(m.kind, 16);
  if (!kinds.includes(kind)) bad("a member of an unknown kind");
  const exchange = unbase64(string(m.exchange, 2 * publicSize));
  if (exchange.length !== publicSize) bad("an exchange key of another length");
  return {
    name: string(m.name, maxName, 1),
    kind,
    validator: m.validator === true,
    sign: key(m.sign),
    exchange,
    tls: key(m.tls),
    consensus: key(m.consensus),
    node: key(m.node),
    tickets: unbase64(string(m.tickets, 1024)),
    endpoint: string(m.endpoint, maxEndpoint),
    peer: string(m.peer, maxEndpoint),
  };
}

function checkKeys(members: GenesisMember[]): void {
  const seen = new Set<string>();
  for (const m of members)
    for (const k of [m.sign, m.tls, m.consensus, m.node]) {
      if (!sound(k) || seen.has(hex(k))) bad("a key that others could sign for, or that two have");
      seen.add(hex(k));
    }
}
