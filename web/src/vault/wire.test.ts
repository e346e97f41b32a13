import { expect, test } from "vitest";
import { hex, unhex, utf8 } from "./bytes.ts";
import { reader, sum, writer } from "./wire.ts";

test("numbers and fields have one form", () => {
  const w = writer()
    .u8(255)
    .u16(258)
    .u32(0xfffffffe)
    .u64(2n ** 64n - 1n)
    .u64(Number.MAX_SAFE_INTEGER)
    .u64(7)
    .flag(true)
    .bytes(utf8("ab"))
    .fixed(utf8("c"));
  expect(hex(w.done())).toBe("ff0102fffffffeffffffffffffffff001fffffffffffff00000000000000070100000002616263");
  const r = reader(w.done(), "x");
  expect([r.u8(), r.u16(), r.u32(), r.u64(), r.count64(), r.count64(), r.flag(), r.text(2), hex(r.rest())]).toEqual([
    255,
    258,
    0xfffffffe,
    2n ** 64n - 1n,
    Number.MAX_SAFE_INTEGER,
    7,
    true,
    "ab",
    "63",
  ]);
  r.end();
  for (const bad of [256, -1, 1.5, Number.NaN, 2n ** 8n, -1n]) expect(() => writer().u8(bad as number)).toThrow(/bits/);
  expect(() => writer().u64(2n ** 64n)).toThrow(/bits/);
});

test("everything else is refused", () => {
  const altered = expect.objectContaining({ failure: "altered" });
  const read = (b: string, f: (r: ReturnType<typeof reader>) => unknown) => () => {
    const r = reader(unhex(b), "x");
    f(r);
    r.end();
  };
  expect(read("00", (r) => r.u16())).toThrow(altered);
  expect(read("0000", (r) => r.u8())).toThrow(altered);
  expect(read("02", (r) => r.flag())).toThrow(altered);
  expect(read("0000000361", (r) => r.bytes(9))).toThrow(altered);
  expect(read("000000026162", (r) => r.bytes(1))).toThrow(altered);
  expect(read("00000001ff", (r) => r.text(9))).toThrow(altered);
  expect(read("0020000000000000", (r) => r.count64())).toThrow(altered);
  expect(read("00000002ff", (r) => r.count(9, 1))).toThrow(altered);
  expect(read("0000000a", (r) => r.count(9, 0))).toThrow(altered);
});

test("domains and fields don't run into each other", () => {
  expect(hex(sum("a", utf8("bc")))).not.toBe(hex(sum("ab", utf8("c"))));
  expect(hex(sum("a", utf8("b"), utf8("c")))).not.toBe(hex(sum("a", utf8("bc"))));
});
