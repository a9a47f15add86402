"use strict";
// Every 5 s the page is fetched anew and its two changing parts are swapped. A hidden tab rests. Focus, scroll, open
// details and a selection that is being copied survive.
(() => {
  const EVERY_MS = 5000, PATIENCE_MS = 10000;
  const stale = document.getElementById("stale");
  let timer = 0, running = false;

  function swap(next) {
    const focused = document.activeElement && document.activeElement.id;
    const open = Array.from(document.querySelectorAll("details[open]"), (element) => element.id);
    const [x, y] = [window.scrollX, window.scrollY];
    for (const id of ["top", "main"]) {
      document.getElementById(id).replaceChildren(...next.getElementById(id).childNodes);
    }
    for (const id of open) {
      const element = document.getElementById(id);
      if (element) element.open = true;
    }
    document.title = next.title;
    prepare();
    const element = focused && document.getElementById(focused);
    if (element && element !== document.activeElement) element.focus({ preventScroll: true });
    window.scrollTo(x, y);
  }

  function reading() {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed;
  }

  function say(sentence) {
    if (stale.textContent !== sentence) stale.textContent = sentence;
  }

  async function refresh() {
    if (running || document.hidden) return;
    running = true;
    try {
      const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!answer.ok) throw new Error(String(answer.status));
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!next.getElementById("main") || !next.getElementById("top")) throw new Error("not our page");
      say("");
      if (!reading()) swap(next);
    } catch {
      const tick = document.getElementById("tick");
      say(`Stale${tick ? " since " + tick.textContent : ""}: wattledger does not answer. Trying again.`);
    } finally {
      running = false;
    }
  }

  function prepare() {
    for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
  }

  async function copy(button) {
    const lines = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(lines.textContent);
      button.textContent = "Copied";
    } catch {
      document.getSelection().selectAllChildren(lines); // no clipboard outside https and localhost: leave it selected
      button.textContent = "Selected";
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) copy(button);
  });
  function restart() {
    clearInterval(timer);
    timer = document.hidden ? 0 : setInterval(refresh, EVERY_MS);
    refresh();
  }
  document.addEventListener("visibilitychange", restart);
  prepare();
  timer = setInterval(refresh, EVERY_MS);
})();
