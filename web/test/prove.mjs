/**
 * What a patient relies on, proved in a real browser: a home member that lies is found out and the page says so, the record stays readable without a
 * network, another device and a passkey open it, and nothing of it leaves the device. The browser's home is a relay (relay.mjs) before a real member;
 * the hospital is HTTP, as in walk.mjs.
 * Prints one line of JSON: for each step what went wrong, or nothing. See web/prove_test.go.
 */
import { complaints, heading, inspect, launch, open, picture, said } from "./browser.mjs";
import { passphrase, recover, views, visit } from "./look.mjs";
import { button, desk, enrol, hospital, share, unlock } from "./patient.mjs";
import { relay } from "./relay.mjs";
import { leaks } from "./secrets.mjs";

const out = { steps: {}, took: {}, bytes: {}, shifts: {} };
const languages = ["en", "de", "es", "ar"];
const dictionaries = Object.fromEntries(await Promise.all(languages.map(async (l) => [l, (await import(`../dist/assets/${l}.js`))[l]])));
const mostBytes = 60_000; // of assets to the first view, compressed
const mostShift = 0.1;

const browser = await launch();
const home = await relay(process.env.VITALOG_HOME);

async function step(name, act) {
  const began = performance.now();
  try {
    await act();
    out.steps[name] = "";
    out.took[name] = Math.round(performance.now() - began);
  } catch (e) {
    out.steps[name] = `${e.stack ?? e}\nThe app said: ${said.slice(-8).join("; ")}`;
    for (const c of browser.contexts()) for (const p of c.pages()) await picture(p, `failed-${name.replaceAll(" ", "-")}`);
  }
}

const want = (ok, what) => {
  if (!ok) throw new Error(what);
};

/** Adds up what moves without anybody having touched anything, for as long as the page lives. */
const watchShifts = () => {
  globalThis.shifted = 0;
  new PerformanceObserver((l) => {
    for (const e of l.getEntries()) if (!e.hadRecentInput) globalThis.shifted += e.value;
  }).observe({ type: "layout-shift", buffered: true });
  document.addEventListener("securitypolicyviolation", (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`));
};

/** A profile of its own. It talks to nobody but its home, and its addresses say nothing but which view is shown. */
async function fresh(options) {
  const page = await open(browser, home.url, options);
  page.context().on("request", (r) => {
    if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== home.url) complaints.push(`it asks ${r.url()}`);
  });
  page.on("framenavigated", (f) => {
    const at = new URL(f.url());
    if (at.protocol === "http:" && (!views.includes(at.pathname) || at.search || at.hash)) complaints.push(`an address says more: ${at}`);
  });
  await page.addInitScript(watchShifts);
  return page;
}

const still = async (page, what) => {
  const moved = await page.evaluate(() => globalThis.shifted);
  out.shifts[what] = moved;
  want(moved < mostShift, `${what}: the layout shifts by ${moved}`);
};

const look = (page) => button(page, "Look for news").click();
const fine = (page) => page.locator(".upto .bad").waitFor({ state: "detached" });

/** The page says what is wrong, in each language; then the home is honest again, and all is well. */
async function says(page, kind, lie = true) {
  for (const l of languages) {
    await speak(page, l);
    await visit(page, "/");
    await page.locator(".upto .bad", { hasText: dictionaries[l].failures[kind] }).waitFor();
  }
  await speak(page, "en");
  if (!lie) return;
  home.lie = null;
  await visit(page, "/");
  await look(page);
  await fine(page);
}

async function speak(page, l) {
  await visit(page, "/more/language");
  await page.locator(`label:has([lang=${l}])`).click();
  await page.locator(`html[lang=${l}]`).waitFor();
}

/** The looks that the activity lists, refusals among them. */
async function rows(page) {
  await visit(page, "/activity");
  await heading(page, "Activity");
  return page.locator(".access").count();
}

/** The list of {u64, bytes} or {bytes, bytes} that a call answers with, taken apart. */
function parts(answer, sizes) {
  let at = 4;
  const take = (n) => {
    at += n;
    return answer.subarray(at - n, at);
  };
  const field = (size) => (size > 0 ? take(size) : Buffer.concat([take(4), take(answer.readUInt32BE(at - 4))]));
  return Array.from({ length: answer.readUInt32BE(0) }, () => sizes.map(field));
}
const listed = (all) => {
  const n = Buffer.alloc(4);
  n.writeUInt32BE(all.length);
  return Buffer.concat([n, ...all.flat()]);
};
const entries = (change) => (answer) => listed(change(parts(answer, [8, 0])));
const records = (change) => (answer) => listed(change(parts(answer, [0, 0])));

let words = [];
let at = {};
const page = await fresh();
await step("the first view is at most 60 KB", async () => {
  for (const language of languages) {
    home.assets.clear();
    const first = await fresh({ language });
    await first.goto("/");
    await first.locator(".start .fine").waitFor();
    out.bytes[language] = [...home.assets.values()].reduce((a, b) => a + b, 0);
    want(out.bytes[language] <= mostBytes, `${language}: ${out.bytes[language]} bytes: ${JSON.stringify([...home.assets])}`);
    await still(first, `start ${language}`);
    await first.context().close();
  }
});
await step("a new patient", async () => {
  words = await enrol(page);
  await share(page, /^Member 0/);
  await page.locator(".sharer").waitFor();
  at = await desk(page);
  await hospital("load", at);
  await visit(page, "/record");
  await page.locator(".happened").first().waitFor({ timeout: 60_000 });
  await still(page, "enrolled");
});
await step("a home member drops an entry", async () => {
  const before = await rows(page);
  home.lie = { entries: entries((all) => all.slice(0, -1)) };
  await hospital("look", at);
  await says(page, "altered");
  want((await rows(page)) === before + 1, "the row that was kept back is not there");
});
await step("a home member serves an old head", async () => {
  const old = new Map();
  home.lie = {
    receipt: (answer, body) => {
      old.set(body.toString("hex"), answer);
      return answer;
    },
  };
  await visit(page, "/");
  await page.locator(".toast").waitFor({ state: "detached" });
  await look(page);
  await page.getByText("Nothing new").waitFor();
  home.lie = null;
  const before = await rows(page);
  await hospital("look", at);
  await page.locator(".access").nth(before).waitFor();
  home.lie = { receipt: (answer, body) => old.get(body.toString("hex")) ?? answer };
  await visit(page, "/");
  await look(page);
  await says(page, "behind");
  // A browser that has seen nothing finds out too: one log is older than the others.
  const hidden = [...old.keys()].at(-1);
  home.lie = { receipt: (answer, body) => (body.toString("hex") === hidden ? old.get(hidden) : answer) };
  const other = await fresh();
  await recover(other, words.join(" "), ".notice.bad");
  await other.locator(".notice.bad", { hasText: dictionaries.en.failures.behind }).waitFor();
  home.lie = null;
  await other.context().close();
});
await step("a home member swaps a blob, and only that record fails", async () => {
  await visit(page, "/record");
  let swapped; // a header, and the ciphertext of another: also when it is asked for again
  home.lie = {
    records: records((all) => {
      if (!swapped && all.length > 1) swapped = [all[0][0], all[1][1]];
      return all.map(([header, blob]) => [header, swapped && header.equals(swapped[0]) ? swapped[1] : blob]);
    }),
  };
  await hospital("write", at);
  const problems = page.locator("main li.row", { hasText: dictionaries.en.record.problem.altered });
  await problems.first().waitFor();
  want((await problems.count()) === 1, `${await problems.count()} records fail`);
  for (const l of languages) {
    await speak(page, l);
    await visit(page, "/record");
    await page.getByText(dictionaries[l].record.problem.altered).waitFor();
  }
  await speak(page, "en");
  await visit(page, "/record");
  await page.locator("#search").fill("lisinopril");
  await page.locator(".happened .row-title", { hasText: "Lisinopril 10 mg" }).first().waitFor();
  await page.locator("#search").fill("evening pulse");
  await page.locator(".happened .row-title", { hasText: "Evening pulse" }).first().waitFor();
  await page.locator("#search").fill("morning pulse");
  await page.getByText(dictionaries.en.record.nothing).waitFor();
  home.lie = null;
  await visit(page, "/");
  await look(page);
  await visit(page, "/record");
  await page.locator(".happened .row-title", { hasText: "Morning pulse" }).first().waitFor();
  await problems.first().waitFor({ state: "detached" });
  await page.locator("#search").fill("");
});
await step("a home member invents a row", async () => {
  const before = await rows(page);
  home.lie = { entries: entries((all) => [...all, all.at(-1)]) };
  await hospital("look", at);
  await says(page, "altered");
  want((await rows(page)) === before + 1, "the rows are not those of the ledger");
});
await step("a home member serves another key", async () => {
  const toast = page.locator(".toast.bad", { hasText: dictionaries.en.failures.altered });
  const anothers = async (_, body) => {
    const ask = Buffer.from(body);
    ask.writeUInt16BE(3);
    const a = await fetch(`${process.env.VITALOG_HOME}/app/v1/introduce`, { method: "POST", body: ask });
    return Buffer.from(await a.arrayBuffer());
  };
  const flip = (answer) => Buffer.from(answer.map((b, i) => (i === answer.length - 3 ? b ^ 1 : b)));
  for (const lie of [{ introduce: anothers }, { "network-key": flip }]) {
    home.lie = lie;
    await share(page, /^Member 2/);
    await toast.waitFor();
    await page.reload();
    await unlock(page);
  }
  home.lie = null;
  await share(page, /^Member 2/);
  await page.locator(".sharer", { hasText: "Member 2" }).waitFor();
});

await step("offline the record stays readable", async () => {
  await visit(page, "/");
  await look(page);
  await fine(page);
  for (const l of languages) await speak(page, l); // so that they are there
  await speak(page, "en");
  await visit(page, "/");
  home.cut(true);
  await look(page);
  await says(page, "unreachable", false);
  await reads(page);
  await visit(page, "/more");
  await button(page, "Lock now").click();
  await unlock(page);
  await reads(page);
  home.cut(false);
  await visit(page, "/");
  await look(page);
  await fine(page);
});

async function reads(p) {
  await visit(p, "/record");
  await p.locator("#search").fill("lisinopril");
  await p.locator(".happened .row", { hasText: "Lisinopril 10 mg" }).first().click();
  await heading(p, "Lisinopril 10 mg");
}

let second;
await step("recovery on a fresh profile, which is a second device", async () => {
  second = await fresh({ scheme: "dark" });
  await recover(second, words.join(" "));
  await still(second, "recovered");
  await reads(second);
  await visit(second, "/sharing");
  await second.locator(".sharer", { hasText: "Member 2" }).waitFor();
  await visit(page, "/sharing");
  await page
    .locator(".sharer", { hasText: "Member 2" })
    .getByRole("button", { name: /^Stop / })
    .click();
  await button(page, "Stop now").click();
  await second.locator(".sharer", { hasText: "Member 2" }).waitFor({ state: "hidden" }); // by itself
});
await step("another device gets the keys from this one", async () => {
  const fill = async (p, what) => {
    await p.locator("input[type=password]").fill(what);
    await p.locator("button[type=submit]").click();
  };
  const third = await fresh();
  await third.goto("/");
  await button(third, dictionaries.en.start.other).click();
  await third.locator(".qr path").waitFor();
  await inspect(third, "start-pair");
  await third.locator("details summary").click();
  const code = await third.locator("details code").innerText();
  await visit(page, "/more/keys");
  await page.getByRole("link", { name: dictionaries.en.pairing.add }).click();
  await heading(page, dictionaries.en.pairing.enter);
  const enter = async () => {
    await page.locator("textarea").fill(code);
    await page.locator("button[type=submit]").click();
  };
  home.lie = { "pairing-get": (answer, body) => (body[32] === 0 ? Buffer.from(answer).reverse() : answer) };
  for (const l of languages) {
    await speak(page, l);
    await visit(page, "/more/device");
    await enter();
    await page.getByText(dictionaries[l].failures["pair-swapped"]).waitFor();
  }
  await speak(page, "en");
  home.lie = null;
  await visit(page, "/more/device");
  await enter();
  await heading(page, dictionaries.en.pairing.ask);
  await heading(third, dictionaries.en.pairing.compare);
  const [here, there] = [await page.locator(".digits").innerText(), await third.locator(".digits").innerText()];
  want(/^\d{4} \d{4}$/.test(here) && here === there, `the devices show ${here} and ${there}`);
  await inspect(page, "more-device-number");
  await inspect(third, "start-pair-number");
  await fill(page, passphrase);
  await third.getByRole("heading", { name: dictionaries.en.start.passTitle }).waitFor();
  await fill(third, passphrase);
  await third.locator("nav.tabs").waitFor();
  await third.locator(".upto").waitFor({ timeout: 60_000 });
  await reads(third);
  await heading(page, dictionaries.en.more.keys);
  await page.locator("main .row", { hasText: /^Got your keys on/ }).waitFor();
  await inspect(page, "more-keys-paired");
  await third.context().close();
});
await step("a passkey opens the keys", async () => {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      hasPrf: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  await visit(page, "/more/keys");
  await page.locator("input[type=text]").first().fill("my phone");
  await page.locator("input[type=password]").first().fill(passphrase);
  await button(page, dictionaries.en.keys.passkeyAdd).click();
  await page.locator("main .row", { hasText: "my phone" }).waitFor();
  await visit(page, "/more");
  await button(page, "Lock now").click();
  await page.getByRole("button", { name: /my phone/ }).click();
  await page.locator("nav.tabs").waitFor();
  await reads(page);
  await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  await visit(page, "/more");
  await button(page, "Lock now").click();
  await page.getByRole("button", { name: /my phone/ }).click();
  await page.getByText(dictionaries.en.failures["wrong-passkey"]).waitFor();
  await unlock(page);
});
await step("nothing of keys or record leaves the device", async () => {
  const plain = ["isinopril", "Evening pulse", "Okafor", "my phone's"];
  const { found, sizes } = await leaks(page, home.asked, { words, passphrase, plain });
  want(found.length === 0, found.join("; "));
  const control = await leaks(page, home.asked, { words, passphrase, plain: ["/app/v1/receipt", "vitalog.language"] });
  want(control.found.length === 2, `what is there is not found: ${control.found}`);
  want(Math.min(...Object.values(sizes)) > 100_000, `little was looked at: ${JSON.stringify(sizes)}`);
});
await browser.close();
home.close();
console.log(JSON.stringify({ ...out, complaints: [...new Set(complaints)] }));
