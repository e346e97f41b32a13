import { expect, test } from "vitest";
import type { Notice } from "./api.ts";
import { connect, type FromWorker, type Port, type ToWorker } from "./remote.ts";

/** A worker whose answers the test gives. */
function worker() {
  const asked: ToWorker[] = [];
  const heard: { message?: (e: MessageEvent<FromWorker>) => void; error?: () => void } = {};
  const port: Port = {
    postMessage: (m) => void asked.push(m),
    addEventListener: (kind: "message" | "error", h: (e: MessageEvent<FromWorker>) => void) => void Object.assign(heard, { [kind]: h }),
  };
  return { port, asked, say: (data: FromWorker) => heard.message!({ data } as MessageEvent<FromWorker>), fail: () => heard.error!() };
}

test("answers find their calls in whatever order they come, failures keep their kind, and notices are told", async () => {
  const w = worker();
  const notices: Notice[] = [];
  const vault = await connect(w.port, (n) => notices.push(n)); // awaiting it asks for nothing
  const [first, second, third] = [vault.card(), vault.unlock({ passphrase: "x" }), vault.grants()];
  expect(w.asked.map((a) => a.name)).toEqual(["card", "unlock", "grants"]);
  w.say({ id: w.asked[1]!.id, failure: "wrong-passphrase", detail: "no" });
  w.say({ notice: { kind: "locked" } });
  w.say({ id: w.asked[0]!.id, value: { text: "vitalog:" } });
  await expect(second).rejects.toMatchObject({ failure: "wrong-passphrase", detail: "no" });
  expect(await first).toEqual({ text: "vitalog:" });
  expect(notices).toEqual([{ kind: "locked" }]);
  w.fail();
  await expect(third).rejects.toMatchObject({ failure: "internal" });
});
