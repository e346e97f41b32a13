/**
 * Looks at every page of somebody's record, in light, dark, right-to-left, narrow and with text twice as large, with axe; SHOTS keeps a picture of each.
 *
 *     VITALOG_HOME=http://localhost:18939 WORDS="$(vitalog key words --app maria --yes)" SHOTS=/tmp/shots node test/look.mjs
 */
import { readFileSync } from "node:fs";
import { complaints, inspect, launch, open } from "./browser.mjs";

export const passphrase = "four words that differ";

/** Gets somebody's keys into a browser, until what is to show shows. */
export async function recover(page, words, shows = ".upto") {
  await page.goto("/");
  await page.locator(".start .stack .button").last().click();
  await page.locator("textarea").fill(words);
  await page.locator("input[type=password]").fill(passphrase);
  await page.locator("button[type=submit]").click();
  await page.locator("nav.tabs").waitFor();
  await page.locator(shows).waitFor({ timeout: 60_000 });
}

/** Goes to a view as a link of the app does, without loading anything. */
export const visit = (page, path, of = "") =>
  page.evaluate(
    ([to, key]) => {
      history.pushState({ of: key }, "", to);
      dispatchEvent(new PopStateEvent("popstate"));
    },
    [path, of],
  );

/** All paths but those that show what one came from. */
export const views = readFileSync(new URL("../dist/views", import.meta.url), "utf8")
  .trim()
  .split("\n");
const plain = views.filter((path) => !["/record/item", "/vitals/trend", "/sharing/request"].includes(path));

async function everyPage(page, name) {
  const look = async (path, of) => {
    await visit(page, path, of);
    await page.locator("main h1").waitFor();
    if (path === "/more/deleted") await page.locator(".deed dl, .empty").first().waitFor();
    if (path === "/sharing/card") await page.locator(".qr path").waitFor();
    await inspect(page, `${name}${path.replaceAll("/", "-")}`);
  };
  for (const path of plain) await look(path);
  const of = async (path, selector) => {
    await visit(page, path);
    const link = page.locator(selector).first();
    if ((await link.count()) === 0) return;
    await link.click();
    await page.waitForFunction((from) => location.pathname !== from, path);
    await inspect(page, `${name}${new URL(page.url()).pathname.replaceAll("/", "-")}`);
  };
  await of("/record", ".happened .rows a.row");
  await page.locator("main .ends .button").last().click();
  await page.locator("dialog .points").waitFor();
  await inspect(page, `sheet-${name}-delete`);
  await page.keyboard.press("Escape");
  for (const d of await page.locator("main details").all()) await d.locator("summary").click();
  await inspect(page, `${name}-record-item-open`);
  await of("/vitals", "main a.row");
  await page.locator("main .chart ~ .button").click();
  await inspect(page, `${name}-trend-table`);
  await of("/sharing", "main .needs a.row");
  await visit(page, "/sharing");
  const code = page.locator(".sharer a.button").first();
  if ((await code.count()) > 0) {
    await code.click();
    await page.locator(".qr path").waitFor();
    await inspect(page, `${name}-sharing-code-shown`);
  }
  await visit(page, "/emergency");
  await page.locator("main .stack .button").nth(1).click();
  await page.locator(".qr path").waitFor();
  await inspect(page, `${name}-emergency-code`);
  await visit(page, "/sharing");
  const stop = page.locator(".sharer .danger").first();
  if ((await stop.count()) > 0) {
    await stop.click();
    await inspect(page, `sheet-${name}`);
    await page.keyboard.press("Escape");
  }
}

const ways = [
  { name: "light", scheme: "light", width: 390, height: 740, language: "en" },
  { name: "dark", scheme: "dark", width: 390, height: 740, language: "en" },
  { name: "arabic", scheme: "light", width: 390, height: 740, language: "ar" },
  { name: "narrow", scheme: "light", width: 320, height: 740, language: "de" },
  { name: "wide", scheme: "light", width: 1280, height: 900, language: "es" },
];

/** Every page in every way that there is, or in the one that WAY names. */
export async function everyWay(page) {
  for (const way of ways.filter((w) => !process.env.WAY || process.env.WAY === w.name)) {
    await page.setViewportSize({ width: way.width, height: way.height });
    await page.emulateMedia({ colorScheme: way.scheme });
    await visit(page, "/more/language");
    await page.locator(`label:has([lang=${way.language}])`).click();
    await page.locator(`html[lang=${way.language}]`).waitFor();
    await everyPage(page, way.name);
  }
  await visit(page, "/more/language");
  await page.locator("label:has([lang=en])").click();
  await page.locator("html[lang=en]").waitFor();
}

/** Every page with text twice as large, in a browser of its own. */
export async function largeText(home, words) {
  if (process.env.WAY && process.env.WAY !== "large") return;
  const browser = await launch(32);
  try {
    const page = await open(browser, home, { width: 390 });
    await recover(page, words);
    if (!(await page.evaluate(() => getComputedStyle(document.body).fontSize === "32px"))) complaints.push("large: the text is not large");
    await everyPage(page, "large");
  } finally {
    await browser.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  const browser = await launch();
  try {
    const page = await open(browser, process.env.VITALOG_HOME);
    await recover(page, process.env.WORDS);
    await everyWay(page);
    await largeText(process.env.VITALOG_HOME, process.env.WORDS);
  } finally {
    await browser.close();
  }
  console.log([...new Set(complaints)].join("\n"));
}
