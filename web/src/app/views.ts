/** The paths of the app's views. A path says which kind of view, never of what: nothing of a record stands in an address. */

export const views = [
  "/",
  "/record",
  "/record/item",
  "/record/new",
  "/record/import",
  "/vitals",
  "/vitals/trend",
  "/medicines",
  "/emergency",
  "/sharing",
  "/sharing/request",
  "/sharing/new",
  "/sharing/card",
  "/sharing/code",
  "/activity",
  "/more",
  "/more/keys",
  "/more/device",
  "/more/language",
  "/more/notices",
  "/more/export",
  "/more/delete",
  "/more/deleted",
  "/more/about",
  "/more/family",
  "/more/family/invite",
  "/more/family/new",
  "/more/family/code",
  "/more/family/read",
] as const;

export type View = (typeof views)[number];

export const isView = (path: string): path is View => (views as readonly string[]).includes(path);
