// Improves pages that work without it: changes the cart without leaving the page, and shows what other tabs changed.
"use strict";

const LOOK_EVERY_MS = 2000;
const OUTAGE = "The store does not answer. What you have is safe there; this page looks for it every two seconds.";
const LOOK_FOR_MS = 10 * 60 * 1000; // then only when the visitor comes back to the tab: a session must be able to expire

const version = (page) => page.querySelector("[data-version]")?.textContent ?? "";
let lastActive = Date.now();
let looking = false;
let begun = 0; // changes so far: a page that was asked for before the last of them may not show it
let waiting = 0; // changes that are not answered yet
let lastAnswer = Promise.resolve();
let down = 0; // when the store was found not to answer, or 0

// Puts the parts of a newly fetched page in the place of the old ones; keeps the keyboard's place among them.
function take(page, parts) {
  const focused = document.activeElement?.closest("[data-live]") ? document.activeElement : null;
  const label = focused?.getAttribute("aria-label");
  for (const part of parts) {
    const now = page.querySelector(`[data-live="${part}"]`);
    const old = document.querySelector(`[data-live="${part}"]`);
    if (now && old) old.replaceWith(document.adoptNode(now));
  }
  if (focused && !focused.isConnected) {
    const successor = label && document.querySelector(`[aria-label="${CSS.escape(label)}"]`);
    (successor || document.getElementById("cart")).focus({ preventScroll: true });
  }
}

function say(text, tone) {
  const notice = document.createElement("p");
  notice.className = `notice ${tone}`;
  notice.textContent = text;
  document.getElementById("notices").replaceChildren(notice);
}

class Refused extends Error {
  constructor(status) {
    super(`answered ${status}`);
    this.status = status;
  }
}

function explain(error) {
  if (!(error instanceof Refused)) {
    return "This server does not answer. Your cart is safe in the store: go on at another server.";
  }
  return error.status === 503
    ? OUTAGE
    : `The server refused that (${error.status}). Nothing was changed.`;
}

async function fetchPage(url, options) {
  const answer = await fetch(url, options);
  if (!answer.ok) throw new Refused(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// A click counts, whatever is under way: changes go out one after the other, so that the last answer shows all of them.
function change(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  const action = form.getAttribute("action"); // not form.action, which is the button of that name
  begun += 1;
  waiting += 1;
  lastAnswer = lastAnswer.then(() => send(action, body));
}

async function send(action, body) {
  try {
    // keepalive: a visitor who moves on at once has still bought.
    const page = await fetchPage(action, { method: "POST", body, keepalive: true });
    take(page, ["to-cart", "server", "side", "try", "notices"]);
    document.getElementById("inspector").classList.add("updated");
  } catch (error) {
    say(explain(error), "bad");
    if (error.status === 503) down ||= Date.now();
  } finally {
    waiting -= 1;
  }
}

async function look() {
  if (looking || waiting || document.hidden || Date.now() - lastActive > LOOK_FOR_MS) return;
  looking = true;
  const before = begun;
  try {
    const answer = await fetch("/Cart/session.json");
    if (answer.status === 503 && !down) {
      down = Date.now();
      say(OUTAGE, "bad");
    } else if (answer.ok && down) {
      say(`The store is back after ${Math.round((Date.now() - down) / 1000)} s, and nothing is lost. Click again what was refused.`, "good");
      down = 0;
    }
    if (answer.ok && String((await answer.json()).version) !== (version(document) || "0")) {
      const page = await fetchPage("/Cart");
      if (before === begun) take(page, ["to-cart", "server", "side", "try"]);
    }
  } catch {
    // The server is down, or restarting. The next click says so; looking goes on.
  } finally {
    looking = false;
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-change]")) return;
  event.preventDefault();
  change(event.target, event.submitter);
});

// What a button did is told once, and not again when the page is loaded anew.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

for (const sign of ["pointerdown", "keydown", "visibilitychange"]) {
  document.addEventListener(sign, () => { lastActive = Date.now(); });
}
document.addEventListener("visibilitychange", look);
addEventListener("pageshow", (event) => { if (event.persisted) look(); });
setInterval(look, LOOK_EVERY_MS);
