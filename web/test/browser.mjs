/** A real browser for the walks: pages that complain are heard, axe looks at them, and the keyboard alone goes through them. */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.SHOTS ?? "";
if (shots) mkdirSync(shots, { recursive: true });

export const complaints = [];

/** What the app told its console: the kinds of what failed, which a walk may have meant to fail. */
export const said = [];

/** A browser, by its settings with text of that size in pixels, and with what CHROMIUM_FLAGS says. */
export const launch = (text = 16) =>
  chromium.launch({
    executablePath: process.env.VITALOG_CHROMIUM,
    args: [
      `--blink-settings=defaultFontSize=${text}`,
      ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
      ...(process.env.CHROMIUM_FLAGS ?? "").split(" ").filter(Boolean),
    ],
  });

/** A page of a browser of its own. Axe gets in past the policy of the page, which the page itself keeps. */
export async function open(browser, home, { width = 360, height = 740, scheme = "light", language = "en" } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    locale: language,
    baseURL: home,
    reducedMotion: "reduce",
  });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  page.on("console", (m) => {
    if (m.type() === "info") said.push(m.text());
    if (["error", "warning"].includes(m.type()) && !/^Failed to load resource/.test(m.text())) complaints.push(`console: ${m.text()}`);
  });
  page.on("pageerror", (e) => complaints.push(`page: ${e.stack || e}`));
  return page;
}

export async function picture(page, name) {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: !name.startsWith("sheet") });
}

/** What axe finds, and what it misses: a page wider than the window, and what is too small for a finger. */
export async function inspect(page, name) {
  await picture(page, name);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Runtime.evaluate", { expression: axe });
  await cdp.detach();
  const found = await page.evaluate(async () => {
    const wrong = [];
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const r = await globalThis.axe.run(document, { runOnly: { type: "tag", values: tags } });
    for (const v of r.violations)
      wrong.push(
        `${v.id}: ${v.nodes
          .slice(0, 3)
          .map((n) => `${n.html.slice(0, 160)} ${n.failureSummary ?? ""}`)
          .join(" | ")}`,
      );
    for (const e of document.querySelectorAll("nav a"))
      if (e.getBoundingClientRect().right > innerWidth + 1 || e.scrollWidth > e.clientWidth + 1) wrong.push(`cut off: ${e.textContent}`);
    const wide = document.documentElement.scrollWidth;
    if (wide > innerWidth) {
      const e = [...document.querySelectorAll("main *")].find(
        (x) => x.getBoundingClientRect().right > innerWidth + 1 || x.getBoundingClientRect().left < -1,
      );
      wrong.push(`it is ${wide} px wide: ${e?.outerHTML.slice(0, 160)}`);
    }
    for (const e of document.querySelectorAll("button, input, select, textarea, nav a, a.row, a.button")) {
      const box = (e.closest("label") ?? e).getBoundingClientRect();
      if (box.width > 0 && box.height < 43.5) wrong.push(`too low for a finger: ${e.outerHTML.slice(0, 120)} ${box.height}`);
    }
    return wrong;
  });
  complaints.push(...found.map((f) => `${name}: ${f}`));
}

const focused = (page) =>
  page.evaluate(() => {
    const e = document.activeElement;
    const label = e.labels?.[0]?.textContent ?? e.getAttribute("aria-label") ?? e.textContent;
    return { name: (label ?? "").trim(), shown: getComputedStyle(e).outlineStyle !== "none" || e.matches("h1, h2, body") };
  });

/** Goes by tabulator to what is called so, as soon as it is there, and fails when it is out of reach or doesn't show that it has the focus. */
export async function reach(page, name) {
  const end = performance.now() + 60_000;
  for (let i = 0; i < 150 || performance.now() < end; i++) {
    const at = await focused(page);
    if (typeof name === "string" ? at.name === name || at.name.startsWith(name) : name.test(at.name)) {
      if (!at.shown) complaints.push(`${name}: nothing shows that it has the focus`);
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`${name}: out of reach of the keyboard`);
}

export async function press(page, name, key = "Enter") {
  await reach(page, name);
  await page.keyboard.press(key);
}

/** Waits for a page by its heading, which must have the focus. */
export async function heading(page, name) {
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await page
    .waitForFunction(() => document.activeElement?.tagName === "H1")
    .catch(() => complaints.push(`${name}: the heading hasn't got the focus`));
}
