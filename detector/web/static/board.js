// The board: rows move as they change, and the list can be narrowed while typing.
"use strict";
(() => {
  const find = document.getElementById("q");
  const state = document.getElementById("state");
  const found = document.getElementById("found");
  const nothing = document.getElementById("nothing");
  document.getElementById("find-go").hidden = true;
  // A list that the server narrowed is not whole: any change of the search asks it again.
  const narrowed = new URLSearchParams(location.search);
  const whole = !narrowed.get("q") && !narrowed.get("state");

  function fits(row) {
    const words = find.value.trim().toLowerCase();
    return row.dataset.find.includes(words) && (!state.value || row.dataset.state === state.value);
  }

  function narrow() {
    let shown = 0, all = 0;
    for (const group of document.querySelectorAll(".group")) {
      let here = 0;
      for (const row of group.querySelectorAll(".row")) {
        all += 1;
        row.hidden = !fits(row);
        if (!row.hidden) here += 1;
      }
      group.hidden = here === 0;
      shown += here;
    }
    found.textContent = shown + " of " + all;
    nothing.hidden = shown > 0;
  }

  function put(news) {
    const holder = document.createElement("template");
    holder.innerHTML = news.html;
    const row = holder.content.firstElementChild;
    const old = document.getElementById(row.id);
    const list = document.querySelector("#group-" + CSS.escape(news.state) + " .rows");
    const moved = !old || old.dataset.state !== news.state;
    const focused = old && old.contains(document.activeElement);
    const place = old && !moved && old.dataset.key === row.dataset.key;
    if (place) {
      old.replaceWith(row);
    } else {
      if (old) old.remove();
      const after = [...list.children].find((each) => each.dataset.key > row.dataset.key);
      list.insertBefore(row, after || null);
      row.classList.add("fresh");
    }
    if (focused) row.querySelector("a").focus();
    return moved;
  }

  const words = { outage: "is failing", watch: "has first complaints", unknown: "is unknown", learning: "is learning", ok: "is quiet" };
  document.addEventListener("rows", (event) => {
    const news = event.detail;
    const moved = [];
    for (const row of news.rows) {
      if (put(row)) moved.push(row.name + " " + words[row.state]);
    }
    for (const each of document.querySelectorAll("[data-count]")) {
      const count = news.counts[each.dataset.count] || 0;
      each.hidden = count === 0;
      each.querySelector("b").textContent = count;
    }
    const headline = document.getElementById("headline");
    headline.textContent = news.headline;
    headline.className = "w-" + news.worst;
    document.title = news.headline + " \u00b7 detector";
    narrow();
    if (moved.length) window.detector.say(moved.length > 4 ? news.headline : moved.join(", "));
  });

  function ask() {
    if (whole) { narrow(); return; }
    const wanted = new URLSearchParams();
    if (find.value) wanted.set("q", find.value);
    if (state.value) wanted.set("state", state.value);
    location.search = wanted;
  }
  find.addEventListener("input", () => { if (whole) narrow(); });
  find.addEventListener("change", () => { if (!whole) ask(); });
  state.addEventListener("change", ask);
  find.form.addEventListener("submit", (event) => { if (whole) { event.preventDefault(); narrow(); } });
})();
