/** What stands around every page: skip link, navigation, the live region; and which page is shown. */

import { useEffect, useState } from "preact/hooks";
import { words } from "../i18n/index.ts";
import { Start } from "../pages/Start.tsx";
import { Heading } from "../ui/Heading.tsx";
import { Icon, type IconName } from "../ui/Icon.tsx";
import { Loading } from "../ui/Loading.tsx";
import { Go } from "../ui/parts.tsx";
import { ahead, pages, Whose } from "./pages.tsx";
import { place } from "./route.ts";
import {
  another,
  chart,
  explain,
  leave,
  message,
  network,
  reading,
  refresh,
  settle,
  state,
  syncing,
  trouble,
  vault,
  waiting,
} from "./store.ts";
import type { View } from "./views.ts";

/** Pages of the record itself are not there before it is; these are. */
const always: readonly View[] = ["/more", "/more/keys", "/more/language", "/more/about"];

const tabs: { to: View; icon: IconName; name: "home" | "record" | "sharing" | "activity" | "more" }[] = [
  { to: "/", icon: "home", name: "home" },
  { to: "/record", icon: "record", name: "record" },
  { to: "/sharing", icon: "sharing", name: "sharing" },
  { to: "/activity", icon: "activity", name: "activity" },
  { to: "/more", icon: "more", name: "more" },
];

/** The tab that a view belongs to. */
function tabOf(v: View): View {
  const first = `/${v.split("/")[1] ?? ""}`;
  if (first === "/vitals" || first === "/medicines" || first === "/emergency") return "/more";
  return tabs.find((t) => t.to === first)?.to ?? "/";
}

export function Shell() {
  const [unreachable, setUnreachable] = useState("");
  const begin = () => {
    setUnreachable("");
    vault
      .begin({ home: location.origin })
      .then((n) => {
        network.value = n;
        return settle();
      })
      .catch((e: unknown) => setUnreachable(explain(e)));
  };
  useEffect(begin, []);
  const s = state.value;
  const inside = s?.phase === "open" && s.kitSaved && s.enrolled;
  useEffect(() => {
    if (!inside) return;
    void refresh().then(ahead);
    let quiet = 0; // times 20 seconds; what comes is told, and this is for what isn't
    const again = setInterval(() => {
      if (document.visibilityState !== "visible" || syncing.value) return;
      if (trouble.value !== "" || ++quiet % 6 === 0) void refresh();
    }, 20_000);
    const still = awake();
    return () => {
      clearInterval(again);
      still();
    };
  }, [inside]);
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: a skip link; it goes to the heading, which takes the focus */}
      <a class="skip" href="#main" onClick={toContent}>
        {words.value.skip}
      </a>
      {inside && <Navigation />}
      <main id="main" class={inside ? "inside" : "outside"}>
        {inside && another.value && <Whose />}
        {inside ? <Page /> : <Start unreachable={unreachable} retry={begin} />}
      </main>
      <Live />
    </>
  );
}

/** The vault locks itself when nobody calls it. Who reads and scrolls is there too: that is told with a call, at most every 20 seconds. */
function awake(): () => void {
  let told = 0;
  const touched = () => {
    if (Date.now() - told < 20_000) return;
    told = Date.now();
    vault.card().catch(explain);
  };
  const signs = ["pointerdown", "keydown", "wheel"];
  for (const s of signs) addEventListener(s, touched, { passive: true });
  return () => {
    for (const s of signs) removeEventListener(s, touched);
  };
}

function toContent(e: Event) {
  e.preventDefault();
  document.querySelector<HTMLElement>("main h1")?.focus();
}

function Page() {
  const view = place.value.view;
  const Shown = pages[view];
  useEffect(() => {
    if (reading.value && !another.value) leave();
  }, [view]);
  if (chart.value || always.includes(view)) return <Shown key={`${view} ${place.value.of}`} />;
  return (
    <div class="page">
      <Heading>{words.value.app}</Heading>
      {trouble.value ? (
        <div class="notice bad" role="alert">
          <Icon name="alert" />
          <div>
            <p>{words.value.failures[trouble.value]}</p>
            <button type="button" class="button quiet" onClick={() => void refresh(true)}>
              {words.value.start.again}
            </button>
          </div>
        </div>
      ) : (
        <Loading />
      )}
    </div>
  );
}

function Navigation() {
  const here = tabOf(place.value.view);
  return (
    <nav class="tabs" aria-label={words.value.menu}>
      <p class="brand">
        <img src="/icon.svg" alt="" width="28" height="28" />
        {words.value.app}
      </p>
      <ul>
        {tabs.map((t) => (
          <li key={t.to}>
            <Go to={t.to} class="tab" aria-current={t.to === here ? "page" : undefined}>
              <span class="tab-icon">
                <Icon name={t.icon} />
                {t.to === "/sharing" && waiting.value.length > 0 && <span class="dot">{waiting.value.length}</span>}
              </span>
              {words.value.nav[t.name]}
            </Go>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** One sentence at a time, shown for a while and read out. */
function Live() {
  const m = message.value;
  const [shown, setShown] = useState(0);
  useEffect(() => {
    if (!m.text) return;
    setShown(m.n);
    const gone = setTimeout(() => setShown(0), 8000);
    return () => clearTimeout(gone);
  }, [m.n]);
  return (
    <div class="live" role="status" aria-live="polite">
      {m.text && shown === m.n && (
        <p class={m.bad ? "toast bad" : "toast"}>
          <Icon name={m.bad ? "alert" : "check"} />
          {m.text}
        </p>
      )}
    </div>
  );
}
