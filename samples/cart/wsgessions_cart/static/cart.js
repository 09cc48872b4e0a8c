// Improves pages that work without it: changes the cart without leaving the page, and shows what other tabs changed.
"use strict";

const LOOK_EVERY_MS = 2000;
const LOOK_FOR_MS = 10 * 60 * 1000; // then only when the visitor comes back to the tab: a session must be able to expire

const version = (page) => page.querySelector("[data-version]")?.textContent ?? "";
let lastActive = Date.now();
let busy = false;

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
    ? "The store does not answer. What you have is safe there: look again in a moment."
    : `The server refused that (${error.status}). Nothing was changed.`;
}

async function fetchPage(url, options) {
  const answer = await fetch(url, options);
  if (!answer.ok) throw new Refused(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

async function change(form, button) {
  busy = true;
  try {
    const body = new URLSearchParams(new FormData(form, button));
    // Not form.action, which is the button of that name. keepalive: a visitor who moves on at once has still bought.
    const page = await fetchPage(form.getAttribute("action"), { method: "POST", body, keepalive: true });
    take(page, ["to-cart", "server", "side", "try", "notices"]);
    document.getElementById("inspector").classList.add("updated");
  } catch (error) {
    say(explain(error), "bad");
  } finally {
    busy = false;
  }
}

async function look() {
  if (busy || document.hidden || Date.now() - lastActive > LOOK_FOR_MS) return;
  busy = true;
  try {
    const answer = await fetch("/Cart/session.json");
    if (answer.ok && String((await answer.json()).version) !== (version(document) || "0")) {
      take(await fetchPage("/Cart"), ["to-cart", "server", "side", "try"]);
    }
  } catch {
    // The server is down, or restarting. The next click says so; looking goes on.
  } finally {
    busy = false;
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-change]")) return;
  event.preventDefault();
  if (!busy) change(event.target, event.submitter);
});

// What a button did is told once, and not again when the page is loaded anew.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

for (const sign of ["pointerdown", "keydown", "visibilitychange"]) {
  document.addEventListener(sign, () => { lastActive = Date.now(); });
}
document.addEventListener("visibilitychange", look);
addEventListener("pageshow", (event) => { if (event.persisted) look(); });
setInterval(look, LOOK_EVERY_MS);
