// Follows the server's event stream; a page says how it wants to be kept up to date. The page works without this file.
"use strict";
(() => {
  const main = document.getElementById("main");
  const link = document.getElementById("link");
  const words = document.getElementById("link-words");

  function show(state, text) {
    link.dataset.state = state;
    words.textContent = text;
  }

  function say(text) {
    document.getElementById("said").textContent = text;
  }

  const hour = new Intl.DateTimeFormat("en-GB", {
    timeZone: document.documentElement.dataset.zone, hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  });

  function clock(at) {
    return hour.format(new Date(at));
  }

  const parts = new URLSearchParams();
  if (main.dataset.since) parts.set("since", main.dataset.since);
  if (main.dataset.service) parts.set("service", main.dataset.service);
  let skip = !main.dataset.since;
  const stream = new EventSource("/events?" + parts);
  stream.addEventListener("open", () => show("live", "live"));
  stream.addEventListener("error", () => show("lost", "reconnecting"));
  stream.addEventListener("rows", (event) => {
    const news = JSON.parse(event.data);
    show("live", "live, " + clock(news.at));
    // A page without a number is as new as the first event; what that one tells is already on it.
    if (skip) { skip = false; return; }
    document.dispatchEvent(new CustomEvent("rows", { detail: news }));
    if (main.dataset.livePage === "part") refresh(news);
  });
  window.addEventListener("pagehide", () => stream.close());

  let last = null;
  let waiting = false;
  // Only what is marked is replaced, so that an open table, a form being filled in or the focus stay as they are.
  async function refresh(news) {
    if (!news.rows.length || waiting) return;
    waiting = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll("[data-live]")) {
        const one = fresh.getElementById(old.id);
        if (!one || one.innerHTML === old.innerHTML || old.contains(document.activeElement)) continue;
        if (old.tagName === "DETAILS") one.open = old.open;
        old.replaceWith(document.importNode(one, true));
      }
      const row = news.rows[0];
      if (last && last !== row.state) say(row.name + ": " + row.state);
      last = row.state;
      document.dispatchEvent(new Event("refreshed"));
    } finally {
      waiting = false;
    }
  }

  window.detector = { say };
})();
