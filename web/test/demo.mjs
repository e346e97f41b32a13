/**
 * The demo's page with the keyboard alone: ask, share, ask again, stop, tamper, a search, and the beginning again. Axe looks at it in every way that it
 * shows: light, dark, narrow, with large text. Prints one line of JSON: what was seen, and whatever went wrong. See internal/demo/page_test.go.
 */
import { complaints, inspect, launch, open, press, reach } from "./browser.mjs";

const home = process.env.VITALOG_HOME;
const out = {};

const chip = (page, side) => page.locator(`#${side} .side-head .chip`);

/** Presses a button, and waits for what both sides then say. */
async function deed(page, name, doctor, patient) {
  await press(page, name);
  await chip(page, "doctor").getByText(doctor, { exact: true }).waitFor();
  await chip(page, "patient").getByText(patient, { exact: true }).waitFor();
}

async function tells(page) {
  const before = await page.locator("#blocks > li").count();
  await press(page, "Share"); // not its turn: nothing happens, and it says so
  await page.locator("#said").getByText("The story goes on with “Ask”").waitFor();
  await deed(page, /^Ask the doctor/, "Request waits", "1 request");
  await deed(page, "Share", "May read", "Shared");
  await deed(page, "Ask again", "Open", "Shared");
  out.reading = await page.locator("#doctor .big").innerText();
  await press(page, "Show as table");
  out.rows = await page.locator("#doctor tbody tr").count();
  await everyWay(page);
  await deed(page, "Stop", "Stopped", "Nobody reads");
  await press(page, "Tamper");
  await page.locator("#cloud-told li", { hasText: "Healed" }).waitFor();
  await page.locator("#dump mark.whole").waitFor();
  out.told = await page.locator(".told li").allInnerTexts();
  out.looked = await page.locator(".looked li").allInnerTexts();
  out.blocks = (await page.locator("#blocks > li").count()) - before;
  out.hers = (await page.locator("#blocks .hers").allInnerTexts()).slice(0, 12);
}

async function looksFor(page) {
  await reach(page, "A name, a drug");
  await page.keyboard.press("Enter");
  out.word = await page.locator("#found .hits").innerText();
  await press(page, "bytes of the object");
  await page.locator("#found .where").waitFor();
  out.bytes = await page.locator("#found .hits").innerText();
  await press(page, "Next");
  await page.locator("#object", { hasText: "2 of" }).waitFor();
}

async function everyWay(page) {
  for (const [way, width, scheme] of [
    ["dark", 1280, "dark"],
    ["narrow", 320, "light"],
    ["light", 1280, "light"],
  ]) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme: scheme });
    await inspect(page, `demo-open-${way}`);
  }
}

/** Text twice as large, in a browser of its own. */
async function largeText() {
  const browser = await launch(32);
  try {
    const page = await open(browser, home, { width: 390 });
    await page.goto("/");
    await page.locator("#blocks > li").first().waitFor();
    await inspect(page, "demo-large");
  } finally {
    await browser.close();
  }
}

const browser = await launch();
try {
  const page = await open(browser, home, { width: 1280, height: 800 });
  await page.goto("/");
  await page.locator("#blocks > li").first().waitFor();
  await page.locator("#dump pre").waitFor();
  await deed(page, "Begin again", "No access", "Nobody reads");
  await inspect(page, "demo-begun");
  await tells(page);
  await looksFor(page);
  await page.setViewportSize({ width: 390, height: 800 });
  await page.emulateMedia({ colorScheme: "dark" });
  await inspect(page, "demo-end");
  await largeText();
  await deed(page, "Begin again", "No access", "Nobody reads");
} catch (e) {
  out.failed = String(e.stack ?? e);
} finally {
  await browser.close();
}
console.log(JSON.stringify({ ...out, complaints: [...new Set(complaints)] }));
