// Keeps the page at what the keeper sees: a line from the server says that there is something new, and it is fetched.
// Where the line is gone the page says so: old figures must never look like those of now.
"use strict";
(() => {
  const LOST_MS = 30000;
  let heard = Date.now(), busy = false, again = false;

  const age = (s) => {
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (s >= 2 * size) return `${Math.floor(s / size)} ${unit}`;
    }
    return `${s} s`;
  };

  const tick = () => {
    const now = Math.floor(Date.now() / 1000);
    for (const one of document.querySelectorAll("time[data-at]")) {
      one.textContent = age(Math.max(0, now - Number(one.dataset.at)));
    }
    document.body.classList.toggle("is-lost", Date.now() - heard > LOST_MS);
  };

  const isTyping = () => document.activeElement && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);

  const look = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401) { location.reload(); return; }
      if (!answer.ok || isTyping()) return;
      const found = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = found.getElementById("live"), live = document.getElementById("live");
      if (!fresh || !live) return;
      for (const one of live.querySelectorAll("details[id]")) {
        const same = fresh.querySelector(`#${CSS.escape(one.id)}`);
        if (same) same.open = one.open;
      }
      live.replaceWith(document.adoptNode(fresh));
      document.title = found.title;
      heard = Date.now();
      tick();
    } catch { /* the line says when it is gone */ } finally {
      busy = false;
      if (again) { again = false; look(); }
    }
  };

  // a test need not wait for as long as an owner would
  document.addEventListener("keeper-later", (e) => { heard -= Number(e.detail) || 0; tick(); });

  // a tab that nobody sees holds no line: browsers grant only a few to one machine
  let line = null;
  const listen = () => {
    let first = true;
    line = new EventSource("/events");
    line.addEventListener("seen", () => { heard = Date.now(); if (first) { first = false; } else { look(); } tick(); });
    line.addEventListener("alive", () => { heard = Date.now(); tick(); });
    line.addEventListener("error", tick);
  };
  const hear = () => {
    if (document.hidden) { if (line) { line.close(); line = null; } return; }
    if (!line) { listen(); look(); }
  };
  document.addEventListener("visibilitychange", hear);
  if (!document.hidden) { listen(); }
  setInterval(tick, 1000);
  tick();
})();
