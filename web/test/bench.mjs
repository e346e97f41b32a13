/**
 * How long the app takes until a record shows, and until a search shows what it found: with as many records as the first argument says, each of two
 * resources. Prints one line of JSON. See web/bench_test.go.
 */
import { complaints, launch, open } from "./browser.mjs";
import { passphrase, visit } from "./look.mjs";
import { desk, enrol, hospital, share, unlock } from "./patient.mjs";

const records = Number(process.argv[2]);
const home = process.env.VITALOG_HOME;
const out = {};

/** When in the page's life the keys were open, and when the record showed. */
const watch = () => {
  const seen = {};
  globalThis.seen = seen;
  const look = () => {
    if (!seen.open && document.querySelector("nav.tabs")) seen.open = performance.now();
    if (!seen.shown && document.querySelector(".upto p:not(.bad), .found")) seen.shown = performance.now();
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
};

async function shows(page, what, first, act) {
  await page.addInitScript(watch);
  await page.goto("/");
  await page.locator(first).first().waitFor();
  const pressed = await page.evaluate(() => performance.now());
  await act();
  await page.waitForFunction(() => globalThis.seen.shown, null, { timeout: 300_000, polling: 100 });
  const { open: at, shown } = await page.evaluate(() => globalThis.seen);
  out[`ms-${what}`] = Math.round(shown - at);
  out[`ms-${what}-keys`] = Math.round(at - pressed);
}

/** From a keystroke until what was found is on the screen. */
async function search(page) {
  await visit(page, "/record");
  await page.locator("#search").waitFor();
  const times = await page.evaluate(async () => {
    const field = document.querySelector("#search");
    const all = [];
    for (const words of [
      "h",
      "he",
      "hea",
      "heart",
      "heart rate",
      "weight",
      "visit 17",
      "visit 171",
      "sitting rest",
      "nothing of this",
      "",
    ]) {
      field.value = words;
      const began = performance.now();
      field.dispatchEvent(new Event("input", { bubbles: true }));
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      all.push(performance.now() - began);
    }
    return all.sort((a, b) => a - b);
  });
  out["ms-search-median"] = Math.round(times[Math.floor(times.length / 2)]);
  out["ms-search-worst"] = Math.round(times.at(-1));
}

const browser = await launch();
try {
  let page = await open(browser, home);
  const words = await enrol(page);
  await share(page, /^Member 0/);
  await page.locator(".sharer").waitFor();
  await hospital("fill", { ...(await desk(page)), records });
  await page.context().close();

  page = await open(browser, home);
  await page.context().setDefaultTimeout(300_000);
  await shows(page, "first", ".start .button", async () => {
    await page.locator(".start .button").nth(1).click();
    await page.locator("textarea").fill(words.join(" "));
    await page.locator("input[type=password]").fill(passphrase);
    await page.locator("button[type=submit]").click();
  });
  await shows(page, "again", "input[type=password]", () => unlock(page));
  await visit(page, "/record");
  const found = await page.locator(".found").innerText();
  if (!found.replaceAll(/\D/g, "").startsWith(String(2 * records))) complaints.push(`the record has ${found}, want ${2 * records}`);
  await search(page);
  const memory = await page.evaluate(() => performance.measureUserAgentSpecificMemory?.().then((m) => m.bytes));
  if (memory) out["MB-memory"] = Math.round(memory / 1e6);
} finally {
  await browser.close();
}
if (complaints.length > 0) throw new Error(complaints.join("\n"));
console.log(JSON.stringify(out));
