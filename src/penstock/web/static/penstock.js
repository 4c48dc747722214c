// What the dashboard does besides links and forms: live regions, keys, the theme at once. Without it, all of it works.
"use strict";
const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";

// Where the navigation is a row that scrolls, the page's own entry is in sight.
document.querySelector(".side nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Live regions. What changed is put into what is there, element by element: focus, selection, scroll, ticked boxes and
// open details stay, since the elements that have them do.
function renew(there, fresh) {
  if (there.matches("tbody[data-hold]")) return void hold(there, fresh);
  const byId = new Map();
  for (const each of there.children) if (each.id) byId.set(each.id, each);
  let at = there.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const named = wanted.id ? byId.get(wanted.id) : undefined;
    if (named && named.nodeName === wanted.nodeName) {
      if (named !== at) there.insertBefore(named, at); else at = at.nextSibling;
      alike(named, wanted);
    } else if (at && !wanted.id && !at.id && at.nodeType === wanted.nodeType && at.nodeName === wanted.nodeName) {
      const kept = at;
      at = at.nextSibling;
      alike(kept, wanted);
    } else {
      there.insertBefore(wanted, at);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// A list that holds still: its rows are brought up to date where they are, and a button above it says what it leaves out.
// A row that is no longer in the list is dimmed; those at its end may only have been pushed out by newer ones.
function hold(there, fresh) {
  const left = fresh.cloneNode(true);
  const wanted = new Map([...fresh.children].map((row) => [row.id, row]));
  const rows = [...there.children];
  const last = rows.findLastIndex((row) => wanted.has(row.id));
  let gone = 0;
  rows.forEach((row, at) => {
    if (wanted.has(row.id)) alike(row, wanted.get(row.id)), wanted.delete(row.id);
    else if (at < last) row.classList.add("is-gone"), gone++;
  });
  const news = document.querySelector("[data-news]");
  if (!news) return;
  news.hidden = !wanted.size && !gone;
  news.firstElementChild.textContent = wanted.size ? `${wanted.size} more: show` : `${gone} gone: show`;
  news.onclick = (event) => {
    event.preventDefault();
    news.hidden = true;
    delete there.dataset.hold;
    renew(there, left);
    there.dataset.hold = "";
  };
}

function alike(there, fresh) {
  if (there.nodeType !== Node.ELEMENT_NODE) {
    if (there.data !== fresh.data) there.data = fresh.data;
    return;
  }
  if (there.matches("input[name=csrf]") || there === document.activeElement && there.matches("input, select, textarea")) return;
  for (const { name } of [...there.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && there.matches("details")) && !(name === "class" && there.matches(".is-chosen"))) there.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) if (there.getAttribute(name) !== value) there.setAttribute(name, value);
  renew(there, fresh);
}

function exchanged(regions) {
  for (const [id, html] of Object.entries(regions)) {
    const region = document.getElementById(id);
    if (!region?.hasAttribute("data-live")) continue;
    const fresh = new DOMParser().parseFromString(`<body><${region.localName}>${html}</${region.localName}>`, "text/html").body.firstElementChild;
    if (!fresh) continue;
    for (const field of fresh.querySelectorAll("input[name=csrf]")) field.value = csrf, field.setAttribute("value", csrf);
    renew(region, document.adoptNode(fresh));
  }
}

const live = document.querySelector('meta[name="live"]')?.content;
let source = null;
function watch() {
  if (document.hidden || source) return;
  source = new EventSource(live);
  source.addEventListener("regions", (event) => exchanged(JSON.parse(event.data)));
}
function rest() {
  source?.close();
  source = null;
}
if (live) {
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : watch()));
  addEventListener("pagehide", rest);
  addEventListener("pageshow", watch);
  watch();
}

// The theme, without a page in between.
const theme = document.getElementById("theme");
theme?.addEventListener("change", () => {
  if (theme.value) document.documentElement.dataset.theme = theme.value; else delete document.documentElement.dataset.theme;
  fetch(theme.form.action, { method: "POST", body: new URLSearchParams(new FormData(theme.form)), redirect: "manual" });
});

// A question that was opened closes again by Escape, or by a click elsewhere.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.ask[open]")) if (!open.contains(event.target)) open.open = false;
});

// All boxes of this page at once; again, and none is ticked.
document.addEventListener("click", (event) => {
  const all = event.target.closest?.("[data-tick-all]");
  if (!all) return;
  const boxes = [...document.querySelectorAll("main input.choose")];
  const on = boxes.some((box) => !box.checked);
  for (const box of boxes) box.checked = on;
});

// Keys.
let after = "";
let timer = 0;
function chosen(step) {
  const rows = [...document.querySelectorAll("main tbody tr, main .list > li")].filter((row) => row.querySelector("a") && row.offsetParent);
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.classList.contains("is-chosen"));
  const next = rows[Math.max(0, Math.min(rows.length - 1, now < 0 ? 0 : now + step))];
  rows[now]?.classList.remove("is-chosen");
  next.classList.add("is-chosen");
  next.querySelector("a").focus();
  next.scrollIntoView({ block: "nearest" });
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const open of document.querySelectorAll("details.ask[open]")) open.open = false;
    if (event.target.matches?.("input, select, textarea")) event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input:not([type=checkbox]), select, textarea, [contenteditable]")) return;
  clearTimeout(timer);
  if (after === "g") {
    after = "";
    const to = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
    if (to) event.preventDefault(), to.click();
    return;
  }
  if (event.key === "g") {
    after = "g";
    timer = setTimeout(() => (after = ""), 1500);
  } else if (event.key === "/") {
    const field = document.querySelector("main form[role=search] input:not([type=hidden]), main form[role=search] select");
    if (field) event.preventDefault(), field.focus(), field.select?.();
  } else if (event.key === "?") {
    document.getElementById("keys")?.showModal();
  } else if (event.key === "j" || event.key === "k") {
    chosen(event.key === "j" ? 1 : -1);
  } else if (event.key === "x") {
    document.querySelector("tr.is-chosen input.choose")?.click();
  }
});

// Flame graphs: look at a frame without leaving the page, and find functions while typing.
const flames = () => document.querySelector("[data-flame]");
let asked = 0;
let shown = location.pathname + location.search;
async function looked(url, push) {
  const mine = ++asked;
  let fresh = null;
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" } });
    if (answer.ok) fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-flame]");
  } catch { /* the link itself says what is wrong */ }
  if (mine !== asked) return; // another frame was chosen meanwhile
  if (!fresh || !flames()) return void (location.href = url);
  const wanted = document.getElementById("f-find")?.value ?? "";
  flames().replaceChildren(...document.adoptNode(fresh).childNodes);
  if (push) history.pushState(null, "", url);
  shown = location.pathname + location.search;
  const field = document.getElementById("f-find");
  if (field && wanted) field.value = wanted, found();
  (flames().querySelector(".is-looked-at") ?? flames().querySelector(".frame"))?.focus();
}
function found() {
  const wanted = document.getElementById("f-find").value.trim().toLowerCase();
  const spans = [];
  for (const frame of document.querySelectorAll(".flame .frame")) {
    const at = frame.firstElementChild;
    const is = wanted !== "" && at.querySelector("title").textContent.split("\n")[0].toLowerCase().includes(wanted);
    frame.classList.toggle("found", is);
    if (is) spans.push([parseFloat(at.getAttribute("x")), parseFloat(at.getAttribute("width"))]);
  }
  let share = 0;
  let end = 0;
  for (const [from, width] of spans.sort((one, other) => one[0] - other[0])) {
    share += Math.max(0, from + width - Math.max(end, from));
    end = Math.max(end, from + width);
  }
  const says = document.querySelector(".found-share");
  if (says) says.textContent = wanted ? `in ${share.toFixed(share < 10 ? 1 : 0)}% of what is shown` : "";
}
document.addEventListener("click", (event) => {
  const to = event.target.closest?.("[data-flame] .frame, [data-flame] .whole");
  if (!to || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  looked(to.getAttribute("href"), true);
});
document.addEventListener("input", (event) => {
  if (event.target.id === "f-find" && flames()) found();
});
addEventListener("popstate", () => {
  if (flames() && shown !== location.pathname + location.search) looked(location.href, false);
});
