/** What a patient does in a walk, and what the hospital does meanwhile. */
import { passphrase, visit } from "./look.mjs";

export async function hospital(deed, desk) {
  const a = await fetch(`${process.env.VITALOG_HOSPITAL}/${deed}`, { method: "POST", body: JSON.stringify(desk) });
  if (!a.ok) throw new Error(`the hospital can't ${deed}: ${await a.text()}`);
  return a.text();
}

export const button = (page, name) => page.getByRole("button", { name, exact: true });
export async function enrol(page) {
  await page.goto("/");
  await button(page, "Create my record").click();
  await page.locator("input[type=password]").fill(passphrase);
  await page.locator("button[type=submit]").click();
  await page.locator(".words li").nth(23).waitFor();
  const words = await page.locator(".words li").evaluateAll((all) => all.map((li) => li.lastChild.textContent));
  await button(page, "I have them on paper").click();
  for (const field of await page.locator(".field").all()) {
    const place = Number((await field.locator("label").textContent()).match(/\d+/)[0]);
    await field.locator("input").fill(words[place - 1]);
  }
  await page.locator("button[type=submit]").click();
  await page.getByText("Your record is ready").waitFor({ timeout: 60_000 });
  return words;
}

export async function share(page, member) {
  await visit(page, "/sharing/new");
  await page.getByRole("radio", { name: member }).check();
  await button(page, "Review").click();
  await button(page, "Share").click();
}

export async function desk(page) {
  await visit(page, "/sharing/card");
  await page.locator("details summary").click();
  const [card, chart] = await page.locator("details code").allInnerTexts();
  return { card, chart };
}

export async function unlock(p) {
  await p.locator("input[type=password]").fill(passphrase);
  await p.locator("button[type=submit]").click();
  await p.locator("nav.tabs").waitFor();
  await visit(p, "/");
  await p.locator(".upto").waitFor();
}
