// Keeps the page at what the keeper sees: a line from the server says that there is something new, and it is fetched.
// Where the line is gone the page says so: old figures must never look like those of now.
"use strict";
(() => {
  const LOST_MS = 30000, AGAIN_MS = 3000;
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

  const isTyping = () =>
    (document.activeElement && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) ||
    [...document.querySelectorAll("form input:not([type=hidden])")].some((one) => one.value !== one.defaultValue);

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

  // what a chart says under the pointer, or under a finger: read back from its own line
  const drawn = (name, given) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
    return made;
  };
  const leave = () => { for (const old of document.querySelectorAll(".read")) old.remove(); };
  const read = (event) => {
    leave();
    const svg = event.target.closest && event.target.closest("svg.chart");
    if (!svg) return;
    const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
    const points = [...svg.querySelectorAll("polyline")].flatMap((line) => [...line.points]);
    if (!points.length) return;
    const near = points.reduce((a, b) => (Math.abs(b.x - x) < Math.abs(a.x - x) ? b : a));
    const [low, high, begin, span] = svg.dataset.scale.split(" ").map(Number);
    const [left, right, top, bottom] = svg.dataset.box.split(" ").map(Number);
    const value = low + (bottom - near.y) / (bottom - top) * (high - low);
    const at = new Date((begin + (near.x - left) / (right - left) * span) * 1000).toISOString();
    const isRight = near.x > (left + right) / 2;
    svg.append(drawn("line", { class: "read", x1: near.x, x2: near.x, y1: top, y2: bottom }));
    svg.append(drawn("circle", { class: "read", cx: near.x, cy: near.y, r: 4 }));
    const text = drawn("text", { class: "read", x: near.x + (isRight ? -8 : 8), y: top + 10, "text-anchor": isRight ? "end" : "start" });
    const figure = svg.dataset.unit === "%" ? `${(value * 100).toFixed(2)} %` : value.toFixed(3);
    text.textContent = `${figure}  ${at.slice(5, 10)} ${at.slice(11, 16)}`;
    svg.append(text);
  };
  document.addEventListener("pointermove", read);
  document.addEventListener("pointerleave", leave);

  // a tab that nobody sees holds no line: browsers grant only a few to one machine
  let line = null;
  const listen = () => {
    let first = true;
    line = new EventSource("/events");
    line.addEventListener("seen", () => { heard = Date.now(); if (first) { first = false; } else { look(); } tick(); });
    line.addEventListener("alive", () => { heard = Date.now(); tick(); });
    // a browser asks anew by itself where the line broke, and never where an answer was no line: a restart, a tunnel
    line.addEventListener("error", () => {
      if (line && line.readyState === EventSource.CLOSED) { line = null; setTimeout(hear, AGAIN_MS); }
      tick();
    });
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
