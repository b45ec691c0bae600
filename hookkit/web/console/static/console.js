// Keys, copying, and times in the zone of this machine. Every page works without it.
"use strict";
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];

  if (document.documentElement.dataset.times === "local") {
    const format = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
    for (const time of all("time")) {
      time.title = `${time.textContent} UTC`;
      time.textContent = format.format(new Date(time.dateTime));
    }
    for (const zone of all("[data-zone]")) {
      zone.textContent = format.resolvedOptions().timeZone;
    }
  }

  for (const button of navigator.clipboard ? all("[data-copy]") : []) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.firstChild.textContent = "copied";
      setTimeout(() => { button.firstChild.textContent = "copy"; }, 2000);
    });
  }

  const keys = document.querySelector(".keys");
  const areOn = document.querySelector("[data-keys]");
  keys.hidden = false;
  areOn.checked = localStorage.getItem("hookkit-keys") !== "off";
  areOn.addEventListener("change", () => {
    localStorage.setItem("hookkit-keys", areOn.checked ? "on" : "off");
  });

  const rows = all("[data-row]");
  const step = (by) => {
    const at = rows.indexOf(document.activeElement);
    rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))]?.focus();
  };
  const pages = new Map(all("nav a").map((link) => [link.textContent[0].toLowerCase(), link]));
  const actions = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    j: () => step(1),
    k: () => step(-1),
    o: () => rows.includes(document.activeElement) && document.activeElement.click(),
    "?": () => { keys.open = !keys.open; keys.querySelector("summary").focus(); },
  };
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    const isInField = event.target.closest("input, select, textarea");
    if (isInField || !areOn.checked || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isGoing) {
      isGoing = false;
      pages.get(event.key)?.click();
      return;
    }
    if (event.key === "g") isGoing = true;
    const action = actions[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });

  const live = document.querySelector("[data-live]");
  if (live) watch(live);

  // Asks for what has changed, every 2 s, and puts it on top unless somebody is reading.
  function watch(table) {
    const MOST = 200;
    const body = table.tBodies[0];
    const [button, more, status] = ["toggle", "more", "status"].map((name) => document.querySelector(`[data-live-${name}]`));
    let isOn = false, isBusy = false, waiting = [], unsaid = 0, saidAt = 0;
    button.hidden = false;

    const isRead = () => table.matches(":hover, :focus-within") || !getSelection().isCollapsed;
    const say = (text) => { if (status.textContent !== text) status.textContent = text; };
    const row = (change) => {
      const line = document.createElement("tr");
      change.cells.forEach((text, at) => {
        const cell = line.appendChild(document.createElement(at ? "td" : "th"));
        const inside = at || !change.url ? cell : cell.appendChild(document.createElement("a"));
        if (!at) cell.scope = "row";
        if (inside !== cell) inside.href = change.url;
        inside.textContent = text;
      });
      line.children[1].className = `state state-${change.state}`;
      return line;
    };
    const show = () => {
      body.prepend(...waiting.splice(0).reverse().map(row));
      while (body.rows.length > MOST) body.lastElementChild.remove();
      more.hidden = true;
    };
    const look = async () => {
      if (!isOn || isBusy || document.hidden) return;
      isBusy = true;
      try {
        const answer = await fetch(`${table.dataset.live}&mark=${table.dataset.mark}`);
        if (!answer.ok) throw new Error(answer.status);
        const { mark, changes, skipped } = await answer.json();
        if (!isOn) return;
        table.dataset.mark = mark;
        waiting = [...waiting, ...changes].slice(-MOST);
        unsaid += changes.length;
        if (waiting.length && isRead()) {
          more.textContent = `${waiting.length} new: show`;
          more.hidden = false;
        } else show();
        if (unsaid && Date.now() - saidAt >= 10000) {
          say(skipped ? `${unsaid} new, and more than a look can show` : `${unsaid} new`);
          [unsaid, saidAt] = [0, Date.now()];
        }
      } catch (error) {
        say(`No answer (${error.message}): it goes on as soon as there is one.`);
      } finally {
        isBusy = false;
      }
    };
    button.addEventListener("click", () => {
      isOn = !isOn;
      button.textContent = isOn ? "Pause" : "Go on";
      say(isOn ? "Running." : "Paused.");
      look();
    });
    more.addEventListener("click", show);
    document.addEventListener("visibilitychange", look);
    setInterval(look, 2000);
  }
})();
