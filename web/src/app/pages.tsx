/** Which page a view is. Pages are fetched when somebody goes there, and stay. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { words } from "../i18n/index.ts";
import { Loading } from "../ui/Loading.tsx";
import type { View } from "./views.ts";

type Page = () => JSX.Element;

/** The member doesn't answer, or another release is there whose files have what this one asks for: loading anew mends both. */
function Lacking() {
  return (
    <p class="notice bad" role="alert">
      {words.value.failures.unreachable}
    </p>
  );
}

function later(load: () => Promise<Page>): Page {
  let there: Page | undefined;
  return function Later() {
    const [page, setPage] = useState(() => there);
    useEffect(() => {
      if (page) return;
      let here = true;
      load().then(
        (p) => {
          there = p;
          if (here) setPage(() => p);
        },
        () => here && setPage(() => Lacking),
      );
      return () => {
        here = false;
      };
    }, [page]);
    const Shown = page;
    return Shown ? <Shown /> : <Loading />;
  };
}

const home = async () => (await import("../pages/Home.tsx")).Home;
const record = () => import("../pages/record.ts");
const sharing = () => import("../pages/sharing.ts");
const family = () => import("../pages/family.ts");
const more = () => import("../pages/more.ts");
const erase = () => import("../pages/erase.ts");

/** Fetches the pages that nobody went to yet, so that they are there when the network is not. */
export function ahead() {
  for (const load of [home, record, sharing, more, family, erase]) load().catch(() => {});
}

/** What stands above somebody else's record. */
export const Whose = later(async () => (await family()).Whose);

export const pages: { [V in View]: Page } = {
  "/": later(home),
  "/record": later(async () => (await record()).Record),
  "/record/item": later(async () => (await record()).ItemPage),
  "/record/new": later(async () => (await record()).Write),
  "/record/import": later(async () => (await record()).Import),
  "/vitals": later(async () => (await record()).Vitals),
  "/vitals/trend": later(async () => (await record()).TrendPage),
  "/medicines": later(async () => (await record()).Medicines),
  "/emergency": later(async () => (await record()).Emergency),
  "/sharing": later(async () => (await sharing()).Sharing),
  "/sharing/request": later(async () => (await sharing()).RequestPage),
  "/sharing/new": later(async () => (await sharing()).NewShare),
  "/sharing/card": later(async () => (await sharing()).CardPage),
  "/sharing/code": later(async () => (await sharing()).CodePage),
  "/activity": later(async () => (await more()).Activities),
  "/more": later(async () => (await more()).More),
  "/more/keys": later(async () => (await more()).Keys),
  "/more/device": later(async () => (await more()).AddDevice),
  "/more/language": later(async () => (await more()).LanguagePage),
  "/more/notices": later(async () => (await more()).Notices),
  "/more/export": later(async () => (await more()).Export),
  "/more/delete": later(async () => (await erase()).EraseFrom),
  "/more/deleted": later(async () => (await erase()).Deleted),
  "/more/about": later(async () => (await more()).About),
  "/more/family": later(async () => (await family()).Family),
  "/more/family/invite": later(async () => (await family()).Invite),
  "/more/family/new": later(async () => (await family()).NewProxy),
  "/more/family/code": later(async () => (await family()).AnswerCode),
  "/more/family/read": later(async () => (await family()).ReadFor),
};
