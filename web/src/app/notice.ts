/** Notices of the browser, for whoever wants them: that something is new, and never what. A locked screen shows them to others. */
import { words } from "../i18n/index.ts";

const remembered = "vitalog.notices";

export const noticesPossible = (): boolean => typeof Notification === "function" && isSecureContext;
export const noticesOn = (): boolean =>
  noticesPossible() && Notification.permission === "granted" && localStorage.getItem(remembered) === "on";

/** Asks the browser, which asks the person. False: not allowed. */
export async function allowNotices(): Promise<boolean> {
  if (!noticesPossible() || (await Notification.requestPermission()) !== "granted") return false;
  localStorage.setItem(remembered, "on");
  return true;
}

export const endNotices = () => localStorage.removeItem(remembered);

/** Tells that something came, where nobody looks at the page. One stands in place of the one before. */
export function notice() {
  if (document.visibilityState === "visible" || !noticesOn()) return;
  try {
    new Notification(words.value.app, { body: words.value.notices.text, tag: "vitalog" });
  } catch {
    // Phones show notices only from a service worker, which the app has not.
  }
}
