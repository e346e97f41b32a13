// @ts-check
/** The story in a browser (internal/demo/page.go): what the demo tells is shown, and each button has it do one deed. Nothing is decided here. */

/** @typedef {{ side: string, mark: string, text: string, block?: number }} Told */
/** @typedef {{ at: string, systolic: string, diastolic: string, inRange: boolean }} Reading */
/** @typedef {{ at: string, name: string, member: string, section: string, reason: string, records: number, allowed: boolean, why: string, more: number, block: number }} Row */
/** @typedef {{ name: string, role: string, member: string, reason: string, readings: Reading[], block: number, took: number }} Doctor */
/** @typedef {{ name: string, home: string, asked: number, gives: string[], until: string, readers: string[], rows: Row[], counted: number, proven: boolean, signed: number, of: number }} Patient */
/** @typedef {{ state: string, object: string, at: number, before: string, after: string }} Tampered */
/** @typedef {{ stage: string, doing: string, can: string[], next: string, failed: string, told: Told[], doctor: Doctor, patient: Patient, cloud: Tampered }} Story */
/** @typedef {{ what: string, log: string, key: string, mark: string, hers: string, by: string }} Said */
/** @typedef {{ height: number, at: string, signed: number, of: number, entries: Said[], more: number }} Block */
/** @typedef {{ n: number, of: number, name: string, size: number, at: number, head: string, hers: string, s3: boolean }} Shown */
/** @typedef {{ hex: boolean, files: number, objects: number, bytes: number, found: number, where: string[] }} Found */
/** @typedef {Node | string | null | false | undefined} Child */

const paths = {
  lock: "M6.5 11h11a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  check: "m5 12.5 4.5 4.5L19 7.5",
  cross: "m6.5 6.5 11 11M17.5 6.5l-11 11",
  alert: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.2",
  wait: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 7.5V12l3 2",
  shield: "M12 3.5 5 6v5.5c0 4.2 2.8 7.3 7 9 4.2-1.7 7-4.8 7-9V6zM9 12l2.2 2.2L15.2 10",
  building: "M5.5 20V5h9v15M14.5 10h4v10M3.5 20h17M8.5 8.500h3M8.5 12h3M8.5 15.500h3",
  person: "M12 11.500a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM5 20c0-3.6 3-6 7-6s7 2.4 7 6",
};

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} tag @param {string} cls @param {...Child} children */
function h(tag, cls, ...children) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  e.append(.../** @type {(Node | string)[]} */ (children.filter(Boolean)));
  return e;
}

/** @param {string} tag @param {Record<string, string | number>} attributes @param {...Node} children */
function svg(tag, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, String(value));
  e.append(...children);
  return e;
}

/** @param {keyof typeof paths} name */
const icon = (name) =>
  svg(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    svg("path", { d: paths[name], fill: "none", stroke: "currentColor" }),
  );

/** @param {string} tone @param {keyof typeof paths} sign @param {string} text */
const chip = (tone, sign, text) => h("span", `chip ${tone}`, icon(sign), text);

const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const number = new Intl.NumberFormat("en-GB");

/** @param {number | undefined} n */
const inBlock = (n) => (n ? h("span", "in-block", `block ${n}`) : null);

/** Steps that were told, each with the block that it stands in. Those that are new come one after the other, but for the first that a page shows.
 * @param {HTMLElement} list @param {Told[]} all */
function tell(list, all) {
  const same = [.../** @type {HTMLCollectionOf<HTMLElement>} */ (list.children)].findIndex(
    (li, i) => li.dataset.told !== JSON.stringify(all[i]),
  );
  while (same >= 0 && list.childElementCount > same) list.lastElementChild?.remove();
  let fresh = 0;
  for (let i = list.childElementCount; i < all.length; i++) {
    const t = /** @type {Told} */ (all[i]);
    const sign = { refused: "cross", waits: "wait", bad: "alert" }[t.mark] ?? "check";
    const li = h("li", `tell ${t.mark}`, icon(/** @type {keyof typeof paths} */ (sign)), h("span", "", t.text, " ", inBlock(t.block)));
    li.dataset.told = JSON.stringify(t);
    li.style.setProperty("--after", String(story ? fresh++ : 0));
    list.append(li);
  }
}

/** @param {string} who @param {string} id @param {string} more @param {keyof typeof paths} sign @param {Node} state */
function head(who, id, more, sign, state) {
  const name = h("h2", "", who);
  name.id = id;
  return h("div", "side-head", h("span", "row-icon", icon(sign)), h("div", "side-who", name, h("p", "fine", more)), state);
}

const order = ["left", "begun", "waiting", "shared", "read", "stopped"];

/** @param {Story} s */
function showDoctor(s) {
  const { name, role, member, readings, took, block } = s.doctor;
  const chips = {
    left: chip("warn", "alert", "Not begun"),
    begun: chip("", "lock", "No access"),
    waiting: chip("warn", "wait", "Request waits"),
    shared: chip("calm", "check", "May read"),
    read: chip("calm", "check", "Open"),
    stopped: chip("bad", "cross", "Stopped"),
  };
  const says = {
    left: "Maria shared before this story. “Begin again” ends that first.",
    begun: "St. Elena may write into this record. It can read nothing of it.",
    waiting: "Refused. The request waits for the patient.",
    shared: "The patient has answered. Nothing is open yet: ask again.",
    stopped: "Refused. The patient has stopped the access.",
  };
  const screen = h("div", "screen");
  screen.append(h("p", "screen-title", "Blood pressure of ", h("bdi", "", s.patient.name)));
  const newest = readings.at(-1);
  if (newest) {
    const first = /** @type {Reading} */ (readings[0]);
    screen.append(
      h(
        "p",
        "big",
        h("span", "", `${newest.systolic}/${newest.diastolic}`, h("span", "unit", " mmHg")),
        newest.inRange ? chip("calm", "check", "In range") : chip("warn", "alert", "Out of range"),
      ),
      trend(readings),
      h(
        "p",
        "fine",
        `${readings.length} readings, ${day.format(new Date(first.at))} to ${day.format(new Date(newest.at))}. Opened in ${took} ms, trace in block ${block}.`,
      ),
      table(readings),
    );
  } else {
    screen.append(h("div", "locked", icon("lock"), h("p", "", says[/** @type {keyof typeof says} */ (s.stage)] ?? "")));
  }
  return [head(name, "doctor-name", `${role}, ${member}`, "building", chips[/** @type {keyof typeof chips} */ (s.stage)]), screen];
}

/** The readings as bars from the lower to the upper value, and in words. @param {Reading[]} readings */
function trend(readings) {
  const upper = readings.map((r) => Number(r.systolic));
  const lower = readings.map((r) => Number(r.diastolic));
  const wide = at("doctor").clientWidth < 480 ? 300 : 480;
  const [high, low, top] = [128, Math.min(60, ...lower) - 5, Math.max(120, ...upper) + 5];
  const y = (/** @type {string} */ v) => high - ((Number(v) - low) / (top - low)) * high;
  const x = (/** @type {number} */ i) => 34 + (i * (wide - 48)) / Math.max(1, readings.length - 1);
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", class: "pressure" });
  picture.setAttribute(
    "aria-label",
    `${readings.length} readings, from ${Math.min(...upper)}/${Math.min(...lower)} to ${Math.max(...upper)}/${Math.max(...lower)} mmHg`,
  );
  for (const v of ["60", "90", "120"]) {
    const label = svg("text", { x: 24, y: y(v) + 4, "text-anchor": "end" });
    label.textContent = v;
    picture.append(svg("line", { x1: 30, x2: wide, y1: y(v), y2: y(v), class: "grid" }), label);
  }
  readings.forEach((r, i) => {
    picture.append(
      svg("line", { x1: x(i), x2: x(i), y1: y(r.systolic), y2: y(r.diastolic), class: "span" }),
      svg("circle", { cx: x(i), cy: y(r.systolic), r: 3.5 }),
      svg("circle", { cx: x(i), cy: y(r.diastolic), r: 3.5 }),
    );
  });
  return picture;
}

/** @param {Reading[]} readings */
function table(readings) {
  const rows = readings
    .toReversed()
    .map((r) => h("tr", "", h("td", "", day.format(new Date(r.at))), h("td", "", `${r.systolic}/${r.diastolic} mmHg`)));
  const heads = ["Date", "Blood pressure"].map((text) => {
    const th = h("th", "", text);
    th.setAttribute("scope", "col");
    return th;
  });
  const box = h("div", "tabled", h("table", "", h("thead", "", h("tr", "", ...heads)), h("tbody", "", ...rows)));
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "All readings");
  return h("details", "", h("summary", "", "Show as table"), box);
}

/** @param {Story} s */
function showPatient(s) {
  const { name, home, asked, gives, until, readers, rows, counted, proven, signed, of } = s.patient;
  const d = s.doctor;
  let state = chip("", "lock", "Nobody reads");
  if (asked) state = chip("warn", "wait", "1 request");
  if (until || readers.length > 0) state = chip("calm", "check", "Shared");
  const screen = h("div", "screen");
  if (asked) {
    screen.append(
      h(
        "div",
        "asks",
        h("p", "", h("strong", "", d.name), `, ${d.role}, ${d.member}, asks to read all ${asked} sections. Why: ${d.reason}.`),
        h("p", "fine", `Maria will share ${gives.join(" and ")}, for treatment, for 90 days. Nothing else.`),
      ),
    );
  } else if (until) {
    screen.append(
      h(
        "div",
        "asks given",
        h("p", "", h("strong", "", d.member), ` may read ${gives.join(" and ")}, for treatment, until ${day.format(new Date(until))}.`),
        h("p", "fine", "Maria can stop it at any moment, and it ends by itself."),
      ),
    );
  } else {
    screen.append(
      h(
        "div",
        "asks none",
        h(
          "p",
          "",
          readers.length > 0
            ? `Shared before this story, with ${readers.join(" and ")}.`
            : `Nobody reads Maria's record${s.stage === "stopped" ? " any more" : ""}. Hospital, pharmacy and laboratory may write into it.`,
        ),
        h("p", "fine", `${home} relays for her phone and can read nothing.`),
      ),
    );
  }
  screen.append(h("h3", "", "Who looked"));
  if (rows.length > 0) screen.append(h("ul", "looked", ...rows.map(looked)));
  else if (counted === 0) screen.append(h("p", "quiet", "Nobody, since this story began."));
  if (counted > 0)
    screen.append(
      h(
        "p",
        "fine",
        `${counted} ${counted === 1 ? "refusal" : "refusals"} counted: after eight within an hour the others get one row together, when it is over.`,
      ),
    );
  if (proven)
    screen.append(
      h("p", "verified", icon("shield"), `Complete: nothing is missing, by a state that ${signed} of ${of} validators signed.`),
    );
  return [head(name, "patient-name", "the patient, with keys of her own", "person", state), screen];
}

/** @param {Row} r */
function looked(r) {
  const result = r.allowed
    ? chip("calm", "check", r.records === 1 ? "Read 1 record" : `Read ${r.records} records`)
    : chip("bad", "cross", `Refused: ${r.why}`);
  if (r.more > 0)
    return h(
      "li",
      "",
      h("span", "row-title", r.member),
      h("span", "row-more", `${r.section} · refused ${r.more} more times within an hour · block ${r.block}`),
    );
  return h(
    "li",
    "",
    h("span", "row-title", r.name, ", ", r.member),
    h("span", "row-more", `${r.section} · ${r.reason} · ${time.format(new Date(r.at))} · block ${r.block}`),
    h("span", "", result),
  );
}

/** What was shown before, so that only what changed is drawn anew: what has the focus stays. @type {Map<string, string>} */
const drawn = new Map();

/** @param {string} id @param {unknown} by @param {() => Node[]} draw */
function redraw(id, by, draw) {
  const now = JSON.stringify(by);
  if (drawn.get(id) === now) return;
  drawn.set(id, now);
  const e = at(id);
  const told = e.querySelector(".told") ?? h("ol", "told");
  e.replaceChildren(...draw(), told);
}

let spoken = 0;

/** @type {Story | undefined} */
let story;

/** @param {Story} s */
function show(s) {
  redraw("doctor", [s.stage, s.doctor], () => showDoctor(s));
  redraw("patient", [s.stage, s.patient], () => showPatient(s));
  for (const side of ["doctor", "patient"])
    tell(
      /** @type {HTMLElement} */ (at(side).querySelector(".told")),
      s.told.filter((t) => t.side === side),
    );
  showCloud(s);
  for (const b of deeds) showDeed(s, b);
  const failed = at("failed");
  failed.hidden = !s.failed;
  if (s.failed) failed.textContent = `That did not work: ${s.failed}. “Begin again” brings the story to its beginning.`;
  if (s.told.length < spoken) spoken = 0;
  if (s.told.length > spoken) {
    at("said").textContent = s.told
      .slice(spoken)
      .map((t) => t.text)
      .join(" ");
    spoken = s.told.length;
  }
  const cloud = JSON.stringify(s.cloud);
  if (cloud !== tampered) void fetchObject(0);
  tampered = cloud;
  story = s;
}

const deeds = [.../** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-deed]"))];

/** @param {Story} s @param {HTMLButtonElement} b */
function showDeed(s, b) {
  const name = b.dataset.deed ?? "";
  const stage = order.indexOf(s.stage);
  /** @type {Record<string, boolean>} */
  const done = {
    ask: stage >= 2,
    share: stage >= 3,
    "ask-again": s.doctor.block > 0,
    stop: stage >= 5,
    tamper: s.cloud.state === "healed",
  };
  let state = done[name] ? "done" : "later";
  if (s.next === name) state = "next";
  else if (s.can.includes(name) && !done[name]) state = "can";
  if (s.doing === name) state = "doing";
  b.dataset.state = state;
  b.setAttribute("aria-disabled", String(s.doing !== "" || !s.can.includes(name)));
  if (state === "next") b.setAttribute("aria-current", "step");
  else b.removeAttribute("aria-current");
}

/** Why a button does nothing now. @param {Story} s */
function notYet(s) {
  const next = deeds.find((b) => b.dataset.deed === s.next)?.querySelector("span")?.textContent ?? "Begin again";
  return s.doing ? "Wait: something is under way." : `The story goes on with “${next}”.`;
}

/** @type {Record<string, string>} */
const seenAt = { ask: "doctor", share: "patient", "ask-again": "doctor", stop: "patient", tamper: "cloud-title", reset: "doctor" };

for (const b of deeds)
  b.addEventListener("click", async () => {
    const name = b.dataset.deed ?? "";
    if (!story || b.getAttribute("aria-disabled") === "true") {
      if (story) at("said").textContent = notYet(story);
      return;
    }
    if (name === "tamper") /** @type {HTMLDetailsElement} */ (document.querySelector(".drawer")).open = true;
    bringUp(at(seenAt[name] ?? "doctor"));
    const a = await fetch(`/${name}`, { method: "POST" }).catch(() => null);
    if (a?.status === 409) at("said").textContent = await a.text();
  });

/** Where only a part of the page shows, it is the part where something is about to happen. @param {HTMLElement} e */
function bringUp(e) {
  const box = e.getBoundingClientRect();
  if (box.top >= 0 && box.top < innerHeight / 2) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  e.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

/** @param {Block} b */
function card(b) {
  const entries = b.entries.map((e) =>
    h(
      "li",
      e.mark,
      h("strong", "", e.what),
      h("code", "", e.log),
      h("code", "", `by ${e.key}`),
      e.hers
        ? h("span", "hers", `Maria's ${e.hers}, by ${e.by}`)
        : h("span", "fine", e.by ? `Public: ${e.by} stands for it` : "Not Maria's: nobody here can tell whose"),
    ),
  );
  return h(
    "li",
    "block",
    h("p", "block-head", h("strong", "", `Block ${number.format(b.height)}`), h("span", "", time.format(new Date(b.at)))),
    h("p", "fine", `${b.signed} of ${b.of} validators signed`),
    h("ul", "", ...entries),
    b.more > 0 && h("p", "fine", `and ${b.more} more`),
  );
}

const kept = 60;
const heights = new Set();

/** @param {Block} b */
function showBlock(b) {
  if (heights.has(b.height)) return; // came before the connection broke
  heights.add(b.height);
  const list = at("blocks");
  list.prepend(card(b));
  if (list.childElementCount > kept) list.lastElementChild?.remove();
}

/** @type {Shown | undefined} */
let object;
let tampered = "";
let fetched = 0;

/** @param {Story} s */
function showCloud(s) {
  at("store").textContent = s.patient.home;
  tell(
    at("cloud-told"),
    s.told.filter((t) => t.side === "cloud"),
  );
  const { state, object: altered, at: place, before, after } = s.cloud;
  const back = object?.s3 ? `. ${altered.slice(0, 16)}… is gone from the bucket` : `, and is ${before} again`;
  at("flip").textContent =
    state === ""
      ? "“Tamper” changes one bit of the first object above, behind the member's back. The member then checks all that it keeps."
      : `Byte ${place}: ${before} became ${after}${state === "healed" ? back : ""}.`;
}

/** @param {number} n */
async function fetchObject(n) {
  const turn = ++fetched;
  const a = await fetch(`/object?n=${n}`);
  if (!a.ok) return;
  const o = await a.json();
  if (turn !== fetched) return; // a later one was asked for meanwhile
  object = o;
  showObject();
}

function showObject() {
  if (!object) return;
  const { n, of, name, size, at: from, head: hex, hers, s3 } = object;
  at("keeps").textContent = s3 ? "S3 bucket" : "store";
  const says = s3 ? `Maria's keys and the member's tell: from byte ${number.format(from)} on lies` : "Maria's keys tell: it is";
  const hash = name.slice(name.lastIndexOf("/") + 1);
  at("object").replaceChildren(
    `${n + 1} of ${number.format(of)}: `,
    h("code", "", `${name.slice(0, name.length - hash.length + 16)}…`),
    `, ${number.format(size)} bytes. `,
    hers ? h("span", "hers", `${says} ${hers}, a record of hers.`) : "Nothing in it tells whose it is, or what.",
  );
  const bytes = hex.match(/../g) ?? [];
  const per = at("dump").clientWidth < 34 * 16 ? 8 : 16;
  const touched = story && story.cloud.object === hash ? story.cloud.at - from : -1;
  const rows = [];
  for (let i = 0; i < bytes.length; i += per) {
    const part = bytes.slice(i, i + per);
    /** @type {(string | Node)[]} */
    const line = [`${(from + i).toString(16).padStart(4, "0")}  `];
    part.forEach((b, k) => {
      line.push(i + k === touched ? h("mark", story?.cloud.state === "healed" ? "whole" : "", b) : b, " ");
    });
    const letters = part.map((b) => (/^[2-6][0-9a-f]$|^7[0-9a-e]$/.test(b) ? String.fromCharCode(Number.parseInt(b, 16)) : ".")).join("");
    rows.push(h("div", "", ...line, per === 16 && h("span", "letters", ` |${letters}|`)));
  }
  at("dump").replaceChildren(h("pre", "", ...rows));
}

at("before").addEventListener("click", () => object && fetchObject((object.n + object.of - 1) % object.of));
at("after").addEventListener("click", () => object && fetchObject(object.n + 1));
addEventListener("resize", showObject);

const word = /** @type {HTMLInputElement} */ (at("word"));

async function search() {
  const asked = word.value.trim();
  at("found").replaceChildren(h("p", "quiet", "Reading every file of every member…"));
  const a = await fetch("/search", { method: "POST", body: asked }).catch(() => null);
  if (!a?.ok) {
    at("found").replaceChildren(h("p", "bad", (await a?.text()) ?? "The demo doesn't answer."));
    return;
  }
  /** @type {Found} */
  const f = await a.json();
  const objects = f.objects ? ` and ${number.format(f.objects)} objects in six buckets` : "";
  const looked = `${number.format(f.files)} files${objects}, ${(f.bytes / 1e6).toFixed(1)} MB: every object, index and block`;
  if (f.found === 0) {
    at("found").replaceChildren(h("p", "hits", h("strong", "", "0 found"), ` for “${asked}” in ${looked}.`));
    return;
  }
  at("found").replaceChildren(
    h("p", "hits", h("strong", "", `Found in ${f.found} ${f.objects ? "place" : "file"}${f.found === 1 ? "" : "s"}`), ` of ${looked}.`),
    h("ul", "where", ...f.where.map((w) => h("li", "", h("code", "", w.replace(/([0-9a-f]{16})[0-9a-f]{48}/, "$1…"))))),
  );
}

at("search").addEventListener("submit", (e) => {
  e.preventDefault();
  void search();
});

/** Words to try, and what shows that the search can find: bytes of the object of Maria's. */
for (const text of ["Alvarez", "Okafor", "blood pressure", "bytes of the object"]) {
  const b = h("button", "toggle", text);
  b.setAttribute("type", "button");
  b.addEventListener("click", async () => {
    word.value = text;
    if (text.startsWith("bytes")) {
      const a = await fetch("/object?n=0");
      word.value = (await a.json()).head.slice(0, 32).replace(/../g, "$& ").trim();
    }
    void search();
  });
  at("tries").append(b);
}

for (const id of ["strip", "dump"]) at(id).tabIndex = 0; // they scroll, by the keyboard too

const events = new EventSource("/events");
events.addEventListener("story", (e) => show(JSON.parse(e.data)));
events.addEventListener("block", (e) => showBlock(JSON.parse(e.data)));
events.addEventListener("error", () => {
  at("failed").hidden = false;
  at("failed").textContent = "The demo doesn't answer. It runs as long as “vitalog demo” does; this page goes on when it is there again.";
});
