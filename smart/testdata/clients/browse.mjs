// A person signs in with a real browser, on a screen as wide as a telephone's, with the keyboard alone.
// It prints its app's address, reads one line of JSON (base, number, launch) and prints one line of JSON: what the app got each time, and
// whatever the browser complained of. SHOTS is a directory for pictures of the pages.
import http from "node:http";
import crypto from "node:crypto";
import { createInterface } from "node:readline/promises";
import { chromium } from "playwright-core";

const width = 360;
const complaints = [];
let visited;
const server = http.createServer((req, res) => {
  if (req.url.startsWith("/app")) visited = Object.fromEntries(new URL(req.url, "http://localhost").searchParams);
  res.setHeader("Content-Type", "text/html");
  res.end('<!doctype html><html lang="en"><title>App</title><link rel="icon" href="data:,"><h1>The app</h1></html>');
});

async function main(wish) {
  const redirect = `http://localhost:${server.address().port}/app`;
  const browser = await chromium.launch({ executablePath: process.argv[2], args: process.getuid() === 0 ? ["--no-sandbox"] : [] });
  const out = {};
  try {
    for (const scheme of ["light", "dark"]) {
      const context = await browser.newContext({ viewport: { width, height: 640 }, colorScheme: scheme });
      context.setDefaultTimeout(60000);
      const page = await context.newPage();
      page.on("console", (m) => { if (["error", "warning"].includes(m.type()) && !/^Failed to load resource: .* status of 4/.test(m.text())) complaints.push(m.text()); });
      page.on("pageerror", (e) => complaints.push(String(e)));
      const shows = async (title, more = "") => {
        await page.getByRole("heading", { level: 1, name: title }).waitFor();
        if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${scheme}-${title.replace(/\W+/g, "-")}${more}.png`, fullPage: true });
        const bad = await page.evaluate((width) => {
          const wrong = [];
          if (document.documentElement.scrollWidth > width) wrong.push(`it is ${document.documentElement.scrollWidth} px wide`);
          if (getComputedStyle(document.querySelector("main")).maxWidth === "none") wrong.push("its style sheet is not there");
          for (const e of document.querySelectorAll("button, input:not([type=hidden])")) {
            if (e.getBoundingClientRect().height < 44) wrong.push(`${e.textContent || e.name} is too low for a finger`);
            const seen = (c) => { // relative luminance (WCAG 2.2)
              const [r, g, b] = c.match(/[\d.]+/g).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
              return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
            };
            const style = getComputedStyle(e);
            const under = style.backgroundColor === "rgba(0, 0, 0, 0)" ? getComputedStyle(document.querySelector("main")).backgroundColor : style.backgroundColor;
            const [low, high] = [seen(style.color), seen(under)].sort((a, b) => a - b);
            if (high / low < 4.5) wrong.push(`${e.textContent || e.name} is hard to read: ${(high / low).toFixed(1)} to 1`);
          }
          return wrong;
        }, width);
        complaints.push(...bad.map((b) => `${title}: ${b}`));
      };
      const press = async (name) => { // goes by tabulator to a button that shows it has the focus, and presses it
        for (let i = 0; i < 10; i++) {
          const at = await page.evaluate(() => [document.activeElement.textContent.trim(), getComputedStyle(document.activeElement).outlineStyle]);
          if (at[0].startsWith(name)) {
            if (at[1] === "none") complaints.push(`${name}: nothing shows that it has the focus`);
            await page.keyboard.press("Enter");
            return;
          }
          await page.keyboard.press("Tab");
        }
        throw new Error(`no button ${name} within reach of the keyboard`);
      };
      const begin = async (scope, launch) => {
        const verifier = crypto.randomBytes(32).toString("base64url");
        const q = new URLSearchParams({ response_type: "code", client_id: "browser", redirect_uri: redirect, scope, state: "s", aud: `${wish.base}/fhir`,
          code_challenge: crypto.createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256", ...(launch ? { launch } : {}) });
        visited = undefined;
        await page.goto(`${wish.base}/auth/authorize?${q}`);
        await shows("Who signs in?");
        await press("Dr. Ada Okafor");
        return verifier;
      };
      const choose = async () => {
        await shows("Which patient is Browser for?");
        await page.keyboard.type(wish.number); // the field has the focus
        await page.keyboard.press("Enter");
        await shows("Allow Browser to work for you?");
      };
      const end = async (verifier) => {
        await page.getByRole("heading", { name: "The app" }).waitFor();
        if (!visited.code) return visited;
        const a = await fetch(`${wish.base}/auth/token`, { method: "POST", body: new URLSearchParams({ grant_type: "authorization_code", client_id: "browser", code: visited.code, redirect_uri: redirect, code_verifier: verifier }) });
        return a.json();
      };
      if (scheme === "light") {
        const verifier = await begin("launch/patient offline_access patient/*.rs");
        await shows("Which patient is Browser for?");
        await page.keyboard.type("urn:x|nobody"); // the field has the focus
        await page.keyboard.press("Enter");
        await page.getByRole("alert").waitFor();
        await shows("Which patient is Browser for?", "-again");
        if (await page.evaluate(() => document.activeElement.value) !== "urn:x|nobody") complaints.push("what was typed is gone");
        await page.keyboard.press("Control+A");
        await page.keyboard.type(wish.number);
        await page.keyboard.press("Enter");
        await shows("Allow Browser to work for you?");
        await press("Choose another patient");
        await choose();
        await press("Allow");
        out.standalone = (await end(verifier)).patient;
        await page.goBack(); // the flow is over
        await shows("This did not work");
      } else {
        const verifier = await begin("launch patient/*.rs", wish.launch);
        await shows("Allow Browser to work for you?");
        await press("Allow");
        out.launched = (await end(verifier)).patient;
        await begin("launch/patient patient/*.rs");
        await choose();
        await press("Don’t allow");
        out.denied = (await end()).error;
      }
      await context.close();
    }
  } catch (e) {
    out.failed = String(e.stack || e);
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify({ ...out, complaints }));
  server.close();
}

server.listen(0, "localhost", async () => {
  console.log(`http://localhost:${server.address().port}`);
  const lines = createInterface({ input: process.stdin });
  lines.once("line", (line) => { lines.close(); main(JSON.parse(line)); });
});
