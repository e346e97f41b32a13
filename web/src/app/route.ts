/**
 * Where the person is: the view by its path, and what it shows by the history's state, which stays in this browser. Each view has
 * a heading that takes the focus when it comes, as after loading a page.
 */
import { signal } from "@preact/signals";
import { isView, type View } from "./views.ts";

export interface Place {
  view: View;
  of: string; // key of the resource, id of the request …, or ""
}

const here = (): Place => ({
  view: isView(location.pathname) ? location.pathname : "/",
  of: typeof history.state?.of === "string" ? history.state.of : "",
});

export const place = signal<Place>(here());

function arrive() {
  place.value = here();
}

export function go(view: View, of = "") {
  history.pushState({ of }, "", view);
  arrive();
  scrollTo(0, 0);
}

/** Leaves a view whose purpose is done: going back doesn't lead there again. */
export function replace(view: View, of = "") {
  history.replaceState({ of }, "", view);
  arrive();
  scrollTo(0, 0);
}

export function followHistory() {
  addEventListener("popstate", arrive);
}
