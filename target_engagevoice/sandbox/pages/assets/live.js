// Renews the part of the page that is marked for it. Without scripts the browser loads the whole page again.
"use strict";

const EVERY_MILLISECONDS = 2000;

const region = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
const following = state.textContent;

// Nothing moves under somebody who is reading or choosing in it.
function isInUse() {
  const selection = document.getSelection();
  return region.contains(document.activeElement) || (!selection.isCollapsed && region.contains(selection.anchorNode));
}

async function renew() {
  if (!document.hidden && !isInUse()) {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-live]");
      if (fresh && !isInUse() && fresh.innerHTML !== region.innerHTML) region.replaceChildren(...fresh.childNodes);
      state.textContent = following;
    } catch {
      state.textContent = "The sandbox does not answer any more.";
    }
  }
  setTimeout(renew, EVERY_MILLISECONDS);
}

setTimeout(renew, EVERY_MILLISECONDS);
