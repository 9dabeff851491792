// What every page has beyond HTML: it works without this, too.
"use strict";
document.documentElement.classList.add("js");

const zone = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

// Times: in the viewer's zone, UTC on hover. Only text is put in.
function localise(root) {
  for (const each of root.querySelectorAll("time[datetime]")) {
    const at = new Date(each.dateTime);
    if (!Number.isNaN(at.getTime())) each.textContent = zone.format(at);
  }
}

// The theme that the button has chosen, else the browser's own; a cookie, so that the next page begins in it.
function theming() {
  const button = document.querySelector("button.theme");
  const root = document.documentElement;
  if (!button) return;
  const own = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : own.matches);
  const tell = () => {
    button.textContent = dark() ? "Light theme" : "Dark theme";
  };
  button.hidden = false;
  tell();
  own.addEventListener("change", tell);
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    document.cookie = `spendgate-theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
    tell();
  });
}

function menu() {
  const button = document.querySelector("button.menu");
  const nav = document.getElementById("nav");
  if (!button || !nav) return;
  const small = matchMedia("(max-width: 860px)");
  const fit = () => {
    button.hidden = !small.matches;
  };
  small.addEventListener("change", fit);
  fit();
  button.addEventListener("click", () => {
    button.setAttribute("aria-expanded", String(nav.classList.toggle("open")));
  });
}

// Parts that change by themselves are fetched again, unless somebody is at work in them or does not look.
function refreshing() {
  for (const part of document.querySelectorAll("[data-refresh]")) {
    const again = async () => {
      const is_free =
        !document.hidden && !part.contains(document.activeElement) && !part.querySelector("details[open]");
      if (is_free) {
        try {
          const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
          if (answer.ok && !answer.redirected) {
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            for (const id of [part.id, "standing"]) {
              const old = document.getElementById(id);
              const fresh = page.getElementById(id);
              if (old && fresh && old.innerHTML !== fresh.innerHTML) {
                old.className = fresh.className;
                old.replaceChildren(...fresh.childNodes);
                localise(old);
              }
            }
            part.dataset.refresh = page.getElementById(part.id)?.dataset.refresh ?? "";
          } else if (answer.redirected) location.reload();
        } catch {
          /* the door does not answer: what is shown says when it was taken */
        }
      }
      if (Number(part.dataset.refresh)) setTimeout(again, Number(part.dataset.refresh) * 1000);
    };
    if (Number(part.dataset.refresh)) setTimeout(again, Number(part.dataset.refresh) * 1000);
  }
}

// What was typed into a form is kept in this tab until it was taken, so that a session that ends loses nothing.
function keeping() {
  const sent = sessionStorage.getItem("sent");
  if (sent && document.querySelector(".notice.good")) {
    sessionStorage.removeItem(sent);
    sessionStorage.removeItem("sent");
  }
  for (const form of document.querySelectorAll("form[data-keep]")) {
    const key = `kept:${form.dataset.keep}`;
    const fields = () =>
      [...form.elements].filter((each) => each.name && !["hidden", "password", "submit", "url"].includes(each.type));
    const kept = sessionStorage.getItem(key);
    if (kept) {
      const said = JSON.parse(kept);
      const notice = document.createElement("div");
      notice.className = "notice look";
      notice.setAttribute("role", "status");
      const words = document.createElement("p");
      const restore = document.createElement("button");
      const drop = document.createElement("button");
      words.textContent = "This form was left with text that was not saved.";
      restore.type = drop.type = "button";
      restore.textContent = "Put it back";
      drop.textContent = "Forget it";
      drop.className = "quiet";
      restore.addEventListener("click", () => {
        for (const each of fields())
          if (each.name in said) {
            if (each.type === "checkbox") each.checked = said[each.name];
            else each.value = said[each.name];
            each.dispatchEvent(new Event("input", { bubbles: true }));
          }
        notice.remove();
      });
      drop.addEventListener("click", () => {
        sessionStorage.removeItem(key);
        notice.remove();
      });
      const acts = document.createElement("div");
      acts.className = "acts";
      acts.append(restore, drop);
      notice.append(words, acts);
      if (fields().some((each) => each.name in said && each.type !== "checkbox" && each.value !== said[each.name]))
        form.before(notice);
    }
    form.addEventListener("submit", () => sessionStorage.setItem("sent", key));
    form.addEventListener("input", () => {
      sessionStorage.setItem(
        key,
        JSON.stringify(
          Object.fromEntries(fields().map((each) => [each.name, each.type === "checkbox" ? each.checked : each.value])),
        ),
      );
    });
  }
}

localise(document);
theming();
menu();
refreshing();
keeping();
document.getElementById("problem")?.focus();
