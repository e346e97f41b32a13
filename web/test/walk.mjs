/**
 * A patient's first day, with the keyboard alone: keys and kit, sharing with a hospital that writes, a request that is narrowed, a stop, what is
 * deleted, the lock; and the day of one whom the hospital had in custody, with a claim card. The hospital is HTTP: POST /load, /ask and /read with the card and the chart of the patient's home do one deed each.
 * Prints one line of JSON: what was seen, and whatever went wrong. See web/browser_test.go.
 */
import { complaints, heading, inspect, launch, open, picture, press, reach, said } from "./browser.mjs";
import { everyWay, largeText, passphrase } from "./look.mjs";

const home = process.env.VITALOG_HOME;
const out = {};

/** card is what the patient shows at the desk: the card's text, and the number of the record. */
async function hospital(deed, card) {
  const a = await fetch(`${process.env.VITALOG_HOSPITAL}/${deed}`, { method: "POST", body: JSON.stringify(card) });
  if (!a.ok) throw new Error(`the hospital can't ${deed}: ${await a.text()}`);
  return a.text();
}

/** What the hospital has just done shows by itself, long before the app would look. */
async function comes(page, what, text) {
  const began = performance.now();
  await page.getByText(text).first().waitFor();
  out.came = { ...out.came, [what]: Math.round(performance.now() - began) };
}

/** Presses what writes on the ledger, and waits for the page after it. That it is final is said for some seconds only, maybe before the page is there. */
async function writes(page, name, after) {
  await page.locator(".toast").waitFor({ state: "detached" });
  const said = page.getByText("Final in block").waitFor();
  await Promise.all([said, press(page, name).then(() => heading(page, after))]);
}

async function begin(page) {
  await page.goto("/");
  await heading(page, "Your health record, in your hands").catch(() => {});
  await inspect(page, "start");
  await press(page, "Create my record");
  const words = await keys(page);
  await page.getByText("Your record is ready").waitFor({ timeout: 60_000 });
  await inspect(page, "home-empty");
  return words;
}

async function keys(page) {
  await heading(page, "Choose a passphrase");
  await reach(page, "Passphrase");
  await page.keyboard.type("too short");
  await page.keyboard.press("Enter");
  await page.getByText("The passphrase is too short").waitFor();
  await inspect(page, "start-passphrase");
  await page.keyboard.press("Control+A");
  await page.keyboard.type(passphrase);
  await page.keyboard.press("Enter");
  await heading(page, "Save your recovery kit");
  await page.locator(".words li").nth(23).waitFor();
  const words = await page.locator(".words li").evaluateAll((all) => all.map((li) => li.lastChild.textContent));
  await inspect(page, "start-kit");
  await press(page, "I have them on paper");
  await heading(page, "Take your kit and look");
  for (const label of await page.locator(".field label").allTextContents()) {
    await reach(page, label);
    await page.keyboard.type(words[Number(label.match(/\d+/)[0]) - 1]);
  }
  await inspect(page, "start-check");
  await page.keyboard.press("Enter");
  return words.join(" ");
}

/** A chart in custody becomes the patient's: the code is mistyped first, then the link of the QR code is pasted. */
async function claims(browser) {
  const page = await open(browser, home);
  const code = await hospital("custody", {});
  await page.goto("/");
  await press(page, "I have a claim card");
  await keys(page);
  await heading(page, "Enter your claim card");
  await inspect(page, "start-claim");
  await reach(page, "The code on the card");
  await page.keyboard.type(code.slice(1));
  await press(page, "Make the record mine");
  await page.getByText("This is not the code of a claim card").waitFor();
  await inspect(page, "start-claim-wrong");
  await press(page, "The code on the card");
  await page.keyboard.press("Control+A");
  await page.keyboard.type(`vitalog:claim?${code.replaceAll("-", "")}`);
  await press(page, "Make the record mine");
  await page.getByText("earlier records open with your keys").waitFor({ timeout: 120_000 });
  await page.locator("nav.tabs").waitFor();
  await press(page, "Record");
  await heading(page, "Record");
  await page.locator(".happened").first().waitFor({ timeout: 60_000 });
  out.claimed = await page.locator(".happened .row-title").allInnerTexts();
  await press(page, "Sharing");
  await heading(page, "Sharing");
  out.custodian = await page.locator(".sharer h3").innerText();
  await inspect(page, "sharing-claimed");
  await page.context().close();
}

/** Shares all but the most private sections with the member that doesn't serve the app. */
async function share(page) {
  await press(page, "Share with an organisation");
  await heading(page, "Share with an organisation");
  await press(page, "Member 0", "Space");
  await press(page, "Review");
  await heading(page, "Is this what you want?");
  out.sentence = await page.locator(".sentence").innerText();
  await inspect(page, "sharing-review");
  await writes(page, /^Share$/, "Sharing");
  out.shared = await page.locator(".sharer h3").innerText();
}

async function card(page) {
  await press(page, "Show at the desk");
  await heading(page, "Show at the desk");
  await press(page, "Or as text");
  const [handle, chart] = await page.locator("details code").allInnerTexts();
  await press(page, "Sharing");
  await heading(page, "Sharing");
  return { card: handle, chart };
}

async function reading(page) {
  await press(page, "Record");
  await heading(page, "Record");
  await press(page, "Look for news");
  await page.locator(".happened").first().waitFor({ timeout: 60_000 });
  out.entries = await page.locator(".found").innerText();
  await reach(page, "Search in your record");
  await page.keyboard.type("lisinopril");
  await page.waitForFunction(() => document.querySelectorAll(".happened .rows li").length > 0);
  out.found = [...new Set(await page.locator(".happened .row-title").allInnerTexts())];
  await press(page, "Lisinopril 10 mg");
  await heading(page, "Lisinopril 10 mg");
  await press(page, "Proof");
  await press(page, "Check the proof now");
  await page.getByText("In a ledger state that").waitFor();
  await inspect(page, "item-proof");
  await press(page, "More");
  await heading(page, "More");
  await press(page, "Vitals and labs");
  await heading(page, "Vitals and labs");
  await press(page, "Blood pressure");
  await heading(page, "Blood pressure");
  await reach(page, "Chart of Blood pressure");
  const value = () => page.locator("[role=slider]").getAttribute("aria-valuetext");
  const newest = await value();
  await page.keyboard.press("ArrowLeft");
  out.cursor = (await value()) !== newest;
  await press(page, "Show as table");
  out.rows = await page.locator("tbody tr").count();
  await page.goBack();
  await heading(page, "Vitals and labs");
}

/** The request is narrowed to two sections and answered. */
async function narrow(page, desk) {
  await press(page, "Home");
  await heading(page, /^Hello/);
  await hospital("ask", desk);
  await comes(page, "a request", "asks to read your record");
  await inspect(page, "home-request");
  await press(page, "Dr. Ada Okafor");
  await heading(page, "Dr. Ada Okafor asks to read parts of your record.");
  await press(page, "No part");
  await press(page, "medicines", "Space");
  await press(page, "vital signs", "Space");
  await press(page, /^As asked/, "ArrowDown"); // to 3 days
  await press(page, "Review");
  await heading(page, "Is this what you want?");
  out.narrowed = await page.locator(".sentence").innerText();
  await writes(page, /^Share$/, "Sharing");
}

/** What a viewer gets who has a code and says a passcode. */
async function view({ text, passcode }) {
  const { url } = JSON.parse(Buffer.from(text.slice("shlink:/".length), "base64url"));
  const a = await fetch(url, { method: "POST", body: JSON.stringify({ recipient: "Dr. Ruiz, Rome", passcode }) });
  return `${a.status} ${(await a.json().catch(() => ({}))).remainingAttempts ?? ""}`;
}

/** A code for somebody without an account: made, opened, and each opening and wrong passcode shows. */
async function code(page) {
  await press(page, "Share by a code");
  await heading(page, "Share by a code");
  await press(page, "For an emergency", "ArrowUp"); // round to the last one
  await press(page, "Make the code");
  await page.getByText("Choose at least one part").waitFor();
  await press(page, "Parts that I choose", "ArrowUp");
  await press(page, "1 time", "ArrowDown"); // to 5 times
  await reach(page, "A note for yourself");
  await page.keyboard.type("a trip");
  await writes(page, "Make the code", "a trip");
  await page.locator(".qr path").waitFor();
  await inspect(page, "sharing-code-made");
  await press(page, "As a link");
  const made = { text: await page.locator("details code").innerText(), passcode: await page.locator(".passcode dd").innerText() };
  out.viewed = [await view({ ...made, passcode: "a guess" }), await view(made)];
  await press(page, "Activity");
  await heading(page, "Activity");
  await page.getByText("With your code “a trip”").nth(1).waitFor();
  out.openings = await page.locator(".access").evaluateAll((all) => all.slice(0, 2).map((li) => li.innerText));
  await press(page, "Sharing");
  await heading(page, "Sharing");
  return made;
}

async function endsCode(page, made) {
  await press(page, "Sharing");
  await heading(page, "Sharing");
  await press(page, "Stop a trip");
  await press(page, "Stop now");
  await page.getByText("Codes that open a part of it").waitFor({ state: "detached" });
  out.viewed.push(await view(made));
  await press(page, "Home");
  await heading(page, /^Hello/);
}

/** Says yes to a destruction: not by one key, and not by mistake. */
async function destroys(page) {
  await page.getByText("A mark stays on the ledger").waitFor();
  await press(page, "Stop everybody from reading it", "ArrowDown");
  await press(page, "Destroy for ever");
  await page.getByText("Tick this first").waitFor();
  await inspect(page, "sheet-destroy");
  await press(page, "I have understood that nobody can bring it back", "Space");
  await press(page, "Destroy for ever");
  await heading(page, "Deleted");
  await page.locator(".deed").first().waitFor();
  out.deleted = [...(out.deleted ?? []), await page.locator(".deed").first().innerText()];
}

/** One entry is destroyed. */
async function deletesOne(page) {
  await press(page, "Record");
  await heading(page, "Record");
  await reach(page, "Search in your record");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("influenza");
  const found = page.locator(".happened .rows a.row");
  await found.first().waitFor();
  await found.first().focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Delete…" }).waitFor();
  await press(page, "Delete…");
  await destroys(page);
  await press(page, "Record");
  await heading(page, "Record");
  await hospital("expunge", {});
  out.stillFound = await page.locator(".found").innerText();
  await press(page, "Clear search and filters");
}

/** A section is destroyed, after a copy was saved. */
async function deletesPart(page) {
  await press(page, "More");
  await heading(page, "More");
  await press(page, "Delete from my record");
  await heading(page, "Delete from my record");
  const saved = page.waitForEvent("download");
  await press(page, "Download your record (FHIR)");
  out.copy = (await saved).suggestedFilename();
  await reach(page, /· \d+ entr/);
  await page.keyboard.press("Space");
  const chosen = page.locator(".choice label:has(:checked)");
  for (let i = 0; i < 20 && !(await chosen.innerText()).startsWith("lab results"); i++) await page.keyboard.press("ArrowDown");
  await press(page, "Delete…");
  await destroys(page);
  await hospital("expunge", {});
  const gone = page.locator(".deed").first().filter({ hasText: "All members have deleted it." });
  await gone.waitFor();
  out.gone = await gone.innerText();
  await inspect(page, "deleted");
  const proof = page.waitForEvent("download");
  await gone.getByRole("button", { name: "Save certificate" }).press("Enter");
  out.certificate = (await proof).suggestedFilename();
  await press(page, "Back");
  await heading(page, "More");
  await press(page, "Delete from my record");
  await heading(page, "Delete from my record");
  await page.locator(".choice label").first().waitFor();
  out.parts = await page.locator(".choice label").allInnerTexts();
}

async function stops(page, desk) {
  out.allowed = await hospital("read", desk);
  await press(page, "Sharing");
  await heading(page, "Sharing");
  await press(page, "Stop all sharing");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" }); // by its role it is gone as soon as it is hidden
  await reach(page, "Stop all sharing"); // the focus came back to it
  await page.keyboard.press("Enter");
  await press(page, "Stop everything");
  await page.getByText("You share with nobody").waitFor({ timeout: 60_000 });
  await press(page, "Activity");
  await heading(page, "Activity");
  out.refused = await hospital("read", desk);
  await comes(page, "an access", "You had stopped sharing");
  out.seen = await page.locator(".access .row-title").allInnerTexts();
  await inspect(page, "activity-stopped");
}

async function locks(page) {
  await press(page, "More");
  await heading(page, "More");
  await press(page, "Lock now");
  await heading(page, "Welcome back");
  await inspect(page, "locked");
  out.left = await page.evaluate(() => document.body.innerText.includes("Okafor"));
  await reach(page, "Passphrase");
  await page.keyboard.type("not the one I chose");
  await page.keyboard.press("Enter");
  await page.getByText("That is not the passphrase").waitFor({ timeout: 60_000 });
  await page.keyboard.press("Control+A");
  await page.keyboard.type(passphrase);
  await page.keyboard.press("Enter");
  await page.locator("nav.tabs").waitFor({ timeout: 60_000 });
}

const browser = await launch();
try {
  const page = await open(browser, home);
  const words = await begin(page);
  await share(page);
  const desk = await card(page);
  await hospital("load", desk);
  await reading(page);
  await narrow(page, desk);
  const made = await code(page);
  await deletesOne(page);
  await everyWay(page);
  await largeText(home, words);
  await deletesPart(page);
  await endsCode(page, made);
  await stops(page, desk);
  await locks(page);
  await claims(browser);
} catch (e) {
  out.failed = `${e.stack ?? e}\nThe app said: ${said.join("; ")}`;
  for (const c of browser.contexts()) for (const p of c.pages()) await picture(p, "failed");
} finally {
  await browser.close();
}
console.log(JSON.stringify({ ...out, complaints: [...new Set(complaints)] }));
