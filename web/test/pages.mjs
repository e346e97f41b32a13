/**
 * What a patient does at an entry, with the keyboard where it counts: says that it is wrong and sees the answer, hides it from one hospital and shows it again,
 * opens its files. The hospitals, members 0 and 1, are HTTP: POST /DEED with the chart. Prints one line of JSON; see web/pages_test.go.
 */
import { complaints, heading, inspect, launch, open, picture, press, reach, said } from "./browser.mjs";
import { passphrase } from "./look.mjs";

const out = {};
let chart = "";

async function hospital(deed) {
  const a = await fetch(`${process.env.VITALOG_HOSPITAL}/${deed}`, { method: "POST", body: chart });
  const text = await a.text();
  if (!a.ok) throw new Error(`the hospital can't ${deed}: ${text}`);
  return text;
}

/** A new person with keys of their own. */
async function create(page) {
  await page.goto("/");
  await page.getByText("Create my record").click();
  await page.locator("input[type=password]").fill(passphrase);
  await page.keyboard.press("Enter");
  await page.locator(".words li").nth(23).waitFor();
  const words = await page.locator(".words li").evaluateAll((all) => all.map((li) => li.lastChild.textContent));
  await page.getByText("I have them on paper").click();
  for (const label of await page.locator(".field label").allTextContents())
    await page.getByLabel(label, { exact: true }).fill(words[Number(label.match(/\d+/)[0]) - 1]);
  await page.keyboard.press("Enter");
  await page.getByText("Your record is ready").waitFor({ timeout: 60_000 });
}

/** A new patient, who shares all ordinary parts with both hospitals; the first one writes. */
async function begin(page) {
  await create(page);
  for (const who of ["Member 0", "Member 1"]) {
    await page.getByRole("link", { name: "Sharing" }).click();
    await page.getByRole("link", { name: "Share with an organisation" }).click();
    await page.getByLabel(who).check();
    await page.getByText("Review", { exact: true }).click();
    await page.getByRole("button", { name: "Share", exact: true }).click();
    await page.locator(".sharer h3", { hasText: who }).waitFor({ timeout: 60_000 });
  }
  await page.getByRole("link", { name: "Show at the desk" }).click();
  chart = await page.locator("details code").nth(1).textContent();
  await hospital("load");
}

async function to(page, name) {
  await press(page, "Record");
  await heading(page, "Record");
  await press(page, name);
  await heading(page, name);
}

async function corrects(page) {
  await to(page, "Pulse");
  await press(page, "This is wrong");
  await page.getByRole("dialog").waitFor();
  await inspect(page, "sheet-wrong");
  await press(page, "A value or a detail is wrong", "ArrowDown");
  await press(page, "Sign and send");
  await page.getByText("Say in a few words").waitFor();
  await reach(page, "In your words");
  await page.keyboard.type("It was 62, not 162.");
  await press(page, "Sign and send");
  await page.getByText("Sent, not answered yet").waitFor({ timeout: 60_000 });
  await inspect(page, "item-wrong");
  out.found = await hospital("asked");
  await hospital("answer");
  await page.getByRole("link", { name: "Home" }).click();
  const answered = page.getByText("Answered: corrected").first();
  for (let i = 0; i < 60 && !(await answered.isVisible()); i++) {
    await page.getByRole("button", { name: "Look for news" }).click();
    await page.waitForTimeout(1000);
  }
  await answered.waitFor();
  await to(page, "Pulse");
  out.answer = await page.locator("blockquote").innerText();
  await inspect(page, "item-corrected");
  await press(page, "Home");
  await heading(page, /^Hello/);
  await page.getByText("Corrections that you asked for").waitFor();
  await inspect(page, "home-corrections");
}

async function hides(page) {
  await to(page, "Pulse");
  out.before = [await hospital("read0"), await hospital("read1")];
  await press(page, /^Hide Member 1/);
  await page.getByRole("dialog").waitFor();
  await inspect(page, "sheet-hide");
  await press(page, "Hide it");
  await page.getByText("Hidden from them").waitFor({ timeout: 60_000 });
  await inspect(page, "item-hidden");
  out.hidden = [await hospital("read0"), await hospital("read1")];
  await press(page, /^Show again Member 1/);
  await page.getByRole("dialog").waitFor();
  await press(page, "Show it again");
  await page.getByText("Hidden from them").waitFor({ state: "detached", timeout: 60_000 });
  out.again = [await hospital("read0"), await hospital("read1")];
}

async function files(page) {
  await to(page, "Discharge letter");
  await press(page, "Open here");
  await page.locator(".file pre", { hasText: "Come back in two weeks." }).waitFor();
  await reach(page, "Open here");
  await page.keyboard.press("Enter");
  await page.locator("canvas.picture").waitFor();
  out.drawn = await page.locator("canvas.picture").evaluate((c) => {
    const { data } = c.getContext("2d").getImageData(0, 0, 1, 1);
    return [c.width, c.height, ...data].join();
  });
  await inspect(page, "item-files");
  const saved = page.waitForEvent("download");
  await page.getByText("Save the file").first().click();
  out.saved = (await saved).suggestedFilename();
}

/** A note and a weight, then an export that is read twice. */
async function writes(page) {
  await press(page, "Record");
  await heading(page, "Record");
  await press(page, "Write something");
  await heading(page, "Write something");
  await press(page, "Seal and save");
  await page.getByText("Write something first.").waitFor();
  await reach(page, "Your note");
  await page.keyboard.type("I slept well.");
  await press(page, "Seal and save");
  await heading(page, "Record");
  await page.getByText("Own note").first().waitFor({ timeout: 60_000 });
  await press(page, "Write something");
  await heading(page, "Write something");
  await press(page, "Own note", "ArrowDown");
  await inspect(page, "record-new");
  await reach(page, "Upper value");
  await page.keyboard.type("121");
  await press(page, "Seal and save");
  await page.getByText("Enter a number").waitFor();
  await reach(page, "Lower value");
  await page.keyboard.type("79");
  await press(page, "Seal and save");
  await heading(page, "Record");
  await page.getByText("121/79").first().waitFor({ timeout: 60_000 });
  const imports = async () => {
    await press(page, "Import");
    await heading(page, "Import from Apple Health");
    await page.locator("input[type=file]").setInputFiles("../wearable/testdata/apple.xml");
    await press(page, "The last month", "ArrowDown");
    await press(page, "Read and seal");
    await page.locator("[role=status] .card").waitFor({ timeout: 60_000 });
    const said = await page.locator("[role=status] .card").innerText();
    await inspect(page, "record-import");
    await press(page, "Record");
    await heading(page, "Record");
    return said;
  };
  out.imported = [await imports(), await imports()];
}

/** The hospital may look in an emergency, and does: it stands out, and waits until the patient has said that it was right. */
async function emergency(page) {
  await press(page, "Sharing");
  await heading(page, "Sharing");
  await press(page, "Share with an organisation");
  await heading(page, "Share with an organisation");
  await page.getByLabel("Member 0").check();
  await page.getByLabel("emergency treatment").check();
  await press(page, "Review");
  await heading(page, "Is this what you want?");
  out.emergencySentence = await page.locator(".sentence").innerText();
  await press(page, "Share");
  await heading(page, "Sharing");
  await hospital("emergency");
  await press(page, "Home");
  await heading(page, /^Hello/);
  await page.locator(".needs .row", { hasText: "in an emergency" }).waitFor();
  out.needs = await page.locator(".needs .row", { hasText: "in an emergency" }).innerText();
  await inspect(page, "home-emergency");
  await press(page, /^Your record was opened in an emergency/);
  await heading(page, "Activity");
  const row = page.locator(".access", { has: page.locator(".chip", { hasText: "Emergency" }) });
  out.row = await row.locator(".row-text").innerText();
  await inspect(page, "activity-emergency");
  await press(page, "Yes, that was right");
  await row.getByText("You confirmed that this was right.").waitFor({ timeout: 60_000 });
  await press(page, "Home");
  await heading(page, /^Hello/);
  await page.locator(".needs").waitFor({ state: "detached" });
}

async function wonders(page) {
  await press(page, "Activity");
  await heading(page, "Activity");
  await press(page, "I don’t recognise this");
  await page.getByRole("dialog").waitFor();
  await inspect(page, "sheet-unrecognised");
  await reach(page, /^Your question to Member/);
  await page.keyboard.type("Who was it?");
  await press(page, "Sign and send");
  await page.getByText("Sent, not answered yet").first().waitFor({ timeout: 60_000 });
  await inspect(page, "activity-asked");
  await press(page, "More");
  await heading(page, "More");
  await page.context().grantPermissions(["notifications"]);
  await press(page, "Notices");
  await heading(page, "Notices");
  await press(page, "Tell me that something is new", "Space");
  await page.waitForFunction(() => localStorage.getItem("vitalog.notices") === "on");
  out.notices = await page.locator("input[type=checkbox]").isChecked();
  await inspect(page, "more-notices");
}

/** Another person, with a browser of their own, reads for the patient until the patient stops it. */
async function family(browser, page) {
  const other = await open(browser, process.env.VITALOG_HOME);
  await create(other);
  const to = async (p, ...names) => {
    await press(p, "More");
    await heading(p, "More");
    for (const name of ["Family and proxies", ...names]) {
      await press(p, name);
      await heading(p, name);
    }
  };
  const code = (p) => p.locator(".folds code").innerText();
  const fill = async (p, field, text) => {
    await reach(p, field);
    await p.keyboard.insertText(text);
  };
  await to(other, "Read for somebody else");
  await press(other, "Make my code");
  await other.getByText("Enter a name.").waitFor();
  await fill(other, "Your name", "Ana Ruiz");
  await press(other, "Make my code");
  await inspect(other, "more-family-invite");

  await to(page, "Let somebody read for you");
  await fill(page, "Their code", "vitalog:proxy?nonsense");
  await press(page, "Next");
  await page.getByText("This is no such code").waitFor();
  await page.getByLabel("Their code").fill("");
  await fill(page, "Their code", await code(other));
  await inspect(page, "more-family-new");
  await press(page, "Next");
  await fill(page, "Your own name", "Maria Ortiz");
  await inspect(page, "more-family-terms");
  await press(page, "Review");
  await heading(page, "Is this what you want?");
  out.sentence = await page.locator(".sentence").innerText();
  await press(page, "Share");
  await heading(page, "Now show this code");
  await page.locator(".folds code").waitFor();
  await inspect(page, "more-family-code");

  await fill(other, "The code that you get back", await code(page));
  await press(other, "Add their record");
  await heading(other, "Family and proxies");
  await inspect(other, "more-family");
  const reads = async () => {
    await press(other, "Record of Maria Ortiz");
    await heading(other, "Record of Maria Ortiz");
    await fill(other, "Why you look", "She asked me to.");
    await inspect(other, "more-family-read");
    await press(other, "Open the record of Maria Ortiz");
  };
  await reads();
  await other.locator(".whose").waitFor({ timeout: 60_000 });
  await inspect(other, "more-family-open");
  await press(other, /^Record$/);
  await heading(other, /^Record$/);
  out.whose = await other.locator(".whose strong").innerText();
  await inspect(other, "record-of-another");
  await press(other, "Pulse");
  await heading(other, "Pulse");
  out.writes = await other.getByText("This is wrong").count();
  await inspect(other, "item-of-another");

  await press(page, "Activity");
  await heading(page, "Activity");
  const row = page.locator(".access", { hasText: "Ana Ruiz" }).first();
  await row.waitFor({ timeout: 60_000 });
  out.readsRow = await row.innerText();
  await press(page, "Sharing");
  await heading(page, "Sharing");
  await inspect(page, "sharing-with-a-person");
  await press(page, "Stop Ana Ruiz");
  await page.getByRole("dialog").waitFor();
  await press(page, "Stop now");
  await page.locator(".past", { hasText: "Ana Ruiz" }).waitFor({ state: "attached", timeout: 60_000 });

  await press(other, "Back to my own record");
  await heading(other, /^Hello/);
  await to(other);
  await reads();
  await other.locator("[role=alert]", { hasText: "Not open to you now" }).waitFor({ timeout: 60_000 });
  out.shown = await other.locator(".whose").count();
  await press(page, "Activity");
  await heading(page, "Activity");
  await page
    .locator(".access", { hasText: "Ana Ruiz" })
    .filter({ hasText: "You had stopped sharing" })
    .first()
    .waitFor({ timeout: 60_000 });
}

/** The entry with a request, and what is new here, in the dark and from right to left. */
async function dark(page) {
  await to(page, "Pulse");
  const key = await page.evaluate(() => history.state.of);
  const visit = (path, of = "") =>
    page.evaluate(
      ([p, o]) => {
        history.pushState({ of: o }, "", p);
        dispatchEvent(new PopStateEvent("popstate"));
      },
      [path, of],
    );
  await page.emulateMedia({ colorScheme: "dark" });
  await visit("/more/language");
  await page.locator("label:has([lang=ar])").click();
  await page.locator("html[lang=ar]").waitFor();
  for (const path of [
    "/",
    "/record/item",
    "/record/new",
    "/record/import",
    "/activity",
    "/more/notices",
    "/more/family",
    "/more/family/invite",
  ]) {
    await visit(path, path === "/record/item" ? key : "");
    await page.locator("main h1").waitFor();
    await inspect(page, `dark-arabic${path.replaceAll("/", "-")}`);
  }
}

const browser = await launch();
try {
  const page = await open(browser, process.env.VITALOG_HOME);
  await begin(page);
  await corrects(page);
  await hides(page);
  await files(page);
  await writes(page);
  await emergency(page);
  await wonders(page);
  await family(browser, page);
  await dark(page);
} catch (e) {
  out.failed = `${e.stack ?? e}\nThe app said: ${said.join("; ")}`;
  await browser
    .contexts()[0]
    ?.pages()[0]
    ?.getByRole("link", { name: "Home" })
    .click({ timeout: 2000 })
    .catch(() => {});
  for (const c of browser.contexts()) for (const p of c.pages()) await picture(p, "failed");
} finally {
  await browser.close();
}
console.log(JSON.stringify({ ...out, complaints: [...new Set(complaints)] }));
