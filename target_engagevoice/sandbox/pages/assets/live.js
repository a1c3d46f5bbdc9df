// Reloads the marked part of the page. Without scripts the browser reloads the whole page.
"use strict";

const EVERY_MILLISECONDS = 2000;

const region = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
const following = state.textContent;

// The part is not replaced while the user has the focus or a selection in it.
function isInUse() {
  const selection = document.getSelection();
  return region.contains(document.activeElement) || (!selection.isCollapsed && region.contains(selection.anchorNode));
}

async function reload() {
  if (!document.hidden && !isInUse()) {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-live]");
      if (fresh && !isInUse() && fresh.innerHTML !== region.innerHTML) region.replaceChildren(...fresh.childNodes);
      state.textContent = following;
    } catch {
      state.textContent = "The sandbox does not answer.";
    }
  }
  setTimeout(reload, EVERY_MILLISECONDS);
}

setTimeout(reload, EVERY_MILLISECONDS);
