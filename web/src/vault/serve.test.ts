import { afterEach, expect, test, vi } from "vitest";
import type { Notice, Vault } from "./api.ts";
import { doorOf } from "./door.ts";
import { connect, type FromWorker, type Port, type ToWorker } from "./remote.ts";
import { type Scope, serve } from "./serve.ts";
import { memoryStore } from "./store.ts";
import { vectors } from "./testing/vectors.ts";
import { vaultOf } from "./vault.ts";

afterEach(() => void vi.useRealTimers());

/** Both ends of a line, which copies what goes over it as a worker's does. `answer` is what the home member says to everything but the genesis. */
function line(answer: () => Promise<Response>): { vault: Vault; notices: Notice[] } {
  const heard: ((e: MessageEvent<FromWorker>) => void)[] = [];
  const scope: Scope = {
    postMessage: (m) => void Promise.resolve(structuredClone(m)).then((data) => heard[0]!({ data } as MessageEvent<FromWorker>)),
    onmessage: null,
  };
  const genesis = JSON.stringify(vectors<{ genesis: unknown }>("receipt").genesis);
  const ask = async (url: string) => (url.endsWith("genesis") ? new Response(genesis, { headers: { "Vitalog-Member": "1" } }) : answer());
  const around = { store: memoryStore(), fetch: ask };
  serve(scope, doorOf(around).calls, async (notify) => vaultOf({ ...around, notify }));
  const port: Port = {
    postMessage: (m) => void Promise.resolve(structuredClone(m)).then((data) => scope.onmessage!({ data } as MessageEvent<ToWorker>)),
    addEventListener: (kind: "message" | "error", h: (e: MessageEvent<FromWorker>) => void) => {
      if (kind === "message") heard.push(h);
    },
  };
  const notices: Notice[] = [];
  return { vault: connect(port, (n) => notices.push(n)), notices };
}

const passphrase = "a patient's passphrase";

test("the vault locks itself after minutes in which nobody asked, and what a page asks by itself doesn't count", async () => {
  const { vault, notices } = line(async () => new Response("", { status: 503 }));
  await vault.begin({ home: "https://home.example" });
  await vault.create({ passphrase });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  expect((await vault.setAutoLock({ minutes: 5 })).autoLock).toBe(5);
  await vault.card();
  await vi.advanceTimersByTimeAsync(4 * 60_000);
  await vault.card();
  await vi.advanceTimersByTimeAsync(4 * 60_000);
  expect((await vault.state()).phase).toBe("open");
  const asked = [
    vault.sync(),
    vault.record(),
    vault.activity(),
    vault.requests(),
    vault.grants(),
    vault.erased(),
    vault.certificate({ orders: [] }),
  ];
  for (const shown of asked) await expect(shown).rejects.toMatchObject({ failure: "unreachable" });
  await vi.advanceTimersByTimeAsync(2 * 60_000);
  expect((await vault.state()).phase).toBe("locked");
  expect(notices.filter((n) => n.kind === "locked").length).toBe(1);
  await expect(vault.card()).rejects.toMatchObject({ failure: "locked" });
  await expect(vault.words({ passphrase })).rejects.toMatchObject({ failure: "locked" });
}, 30_000);

test("what was asked before a lock is not answered after it", async () => {
  let say = (_: Response): void => undefined;
  const { vault } = line(
    () =>
      new Promise((resolve) => {
        say = resolve;
      }),
  );
  await vault.begin({ home: "https://home.example" });
  await vault.create({ passphrase });
  const pending = vault.sync();
  const words = vault.words({});
  await words;
  await vault.lock();
  say(new Response("", { status: 503 }));
  await expect(pending).rejects.toMatchObject({ failure: expect.stringMatching(/locked|unreachable/) });
  await expect(vault.unlock({ passphrase: "another passphrase" })).rejects.toMatchObject({ failure: "wrong-passphrase" });
  expect(await vault.unlock({ passphrase })).toMatchObject({ phase: "open", kitSaved: false });
  expect((await vault.words({ passphrase })).length).toBe(24);
  await expect((vault as unknown as Record<string, () => Promise<unknown>>).toString!()).rejects.toMatchObject({ failure: "invalid" });
}, 60_000);
