// The form and the text are two views of one document: whichever is typed in, the door works out the other, what is wrong,
// and what the policy would have done. The page does the same by its buttons without this.
"use strict";
{
  const byId = (id) => document.getElementById(id);
  const form = byId("design");
  const fields = byId("fields");
  const yaml = byId("yaml");
  const simulation = byId("simulation");
  const glance = byId("glance");
  const wrongs = byId("textwrong");
  const shown = form.elements.shown;
  const last = form.elements.last;

  // What is typed is looked at soon; it is simulated once one stops typing, so that the last key need not wait for a
  // simulation of the one before.
  const LOOK_MS = 150;
  const PAUSE_MS = 300;
  let is_looking = false;
  let waits = null;
  let timer = 0;
  let typed = 0;
  let pause = 0;
  let drawn = "";
  let is_drawing = false;
  let next = null;

  const post = (path, act) => {
    const said = new URLSearchParams(new FormData(form));
    said.set("act", act);
    return fetch(path, { method: "POST", body: said });
  };
  const part = (text) => new DOMParser().parseFromString(text, "text/html").body;

  function tell(wrong) {
    const list = document.createElement("ul");
    list.className = "wronglist";
    for (const each of wrong) {
      const item = document.createElement("li");
      item.textContent = `Line ${each.line}${each.place ? `, ${each.place}` : ""}: ${each.words}`;
      list.append(item);
    }
    const fine = document.createElement("p");
    fine.className = "hint";
    fine.textContent = "Nothing is wrong with it.";
    const said = wrong.length ? list : fine;
    if (wrongs.textContent.trim() !== said.textContent.trim()) wrongs.replaceChildren(said);
    for (const each of fields.querySelectorAll("[name]")) {
      const found = wrong.filter((one) => one.at === each.name);
      const place = byId(`w-${each.name}`);
      if (!place) continue;
      if (found.length) each.setAttribute("aria-invalid", "true");
      else each.removeAttribute("aria-invalid");
      place.replaceChildren(
        ...found.map((one) => {
          const made = document.createElement("span");
          made.className = "wrong";
          made.textContent = one.words;
          return made;
        }),
      );
    }
  }

  // One question at a time; what is typed meanwhile is asked next.
  async function look(act) {
    if (is_looking) {
      waits = act;
      return;
    }
    is_looking = true;
    const source = last.value;
    const before = yaml.value;
    try {
      const answer = await post("/design-look", act);
      if (answer.redirected || answer.status === 401 || answer.status === 403) {
        wrongs.textContent = "The session is over: sign in again in another tab. What you typed is kept.";
        return;
      }
      if (!answer.ok) return;
      const said = await answer.json();
      const has_more = waits !== null;
      if (source === "yaml" || act) {
        if (!has_more || act) {
          fields.replaceChildren(...part(said.html).childNodes);
          if (yaml.value === before || act) yaml.value = said.yaml;
        }
      } else if (yaml.value === before) yaml.value = said.yaml;
      shown.value = said.yaml;
      tell(said.wrong);
      clearTimeout(pause);
      if (!said.wrong.length)
        pause = setTimeout(draw, Math.max(0, PAUSE_MS - (performance.now() - typed)), said.yaml, "simulate");
    } catch {
      wrongs.textContent = "The door does not answer; what you typed is kept.";
    } finally {
      is_looking = false;
      if (waits !== null) {
        const next = waits;
        waits = null;
        look(next);
      }
    }
  }

  // One at a time here too: the door would do them one after the other, and what is typed meanwhile overtakes.
  async function draw(text, act) {
    if (text === drawn && act === "simulate") return;
    drawn = text;
    for (const each of [simulation, glance]) each.classList.add("old");
    simulation.setAttribute("aria-busy", "true");
    if (is_drawing) {
      next = next === "suggest" ? next : act;
      return;
    }
    is_drawing = true;
    try {
      const answer = await post("/design-simulation", act);
      if (!answer.ok || answer.redirected) return;
      const found = part(await answer.text());
      const held = document.activeElement?.id === "caphandle";
      if (held && next !== null) return;
      simulation.replaceChildren(...found.childNodes);
      localise(simulation);
      handle();
      sum();
      if (held) byId("caphandle")?.focus();
      if (next === null) {
        for (const each of [simulation, glance]) each.classList.remove("old");
        simulation.removeAttribute("aria-busy");
      }
    } catch {
      /* the door does not answer: what is shown is grey */
    } finally {
      is_drawing = false;
      if (next !== null) {
        const now = next;
        next = null;
        drawn = "";
        draw(yaml.value, now);
      }
    }
  }

  // The sum of it stands beside the form, in sight while one types.
  function sum() {
    const found = simulation.querySelector(".glance");
    glance.hidden = !found;
    glance.replaceChildren(...(found?.cloneNode(true).childNodes ?? []));
  }

  function put(rule, cap) {
    const field = form.elements[`spec.rules[${rule}].budget.cap_usd`];
    if (!field || field.value === cap) return;
    field.value = cap;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    typed = -PAUSE_MS;
  }

  function handle() {
    const range = byId("caphandle");
    if (range) {
      const caps = range.dataset.caps.split(" ");
      const words = range.dataset.words.split("|");
      const output = range.previousElementSibling.querySelector("output");
      const say = () => {
        output.textContent = words[range.value];
        range.setAttribute("aria-valuetext", words[range.value]);
      };
      range.value = Math.max(0, caps.indexOf(range.dataset.now));
      range.parentElement.hidden = false;
      say();
      range.addEventListener("input", (event) => {
        event.stopPropagation();
        say();
      });
      range.addEventListener("change", () => put(range.dataset.rule, caps[range.value]));
    }
    const take = simulation.querySelector(".takecap");
    if (take) {
      take.hidden = false;
      take.addEventListener("click", () => put(take.parentElement.dataset.rule, take.parentElement.dataset.cap));
    }
  }

  form.addEventListener("input", (event) => {
    if (event.target.id === "caphandle") return;
    last.value = event.target === yaml ? "yaml" : "form";
    clearTimeout(timer);
    clearTimeout(pause);
    typed = performance.now();
    timer = setTimeout(() => look(""), LOOK_MS);
  });
  form.addEventListener("click", (event) => {
    const act = event.target.closest("button[name=act]")?.value ?? "";
    if (/^(add|remove):/.test(act)) {
      event.preventDefault();
      look(act);
    }
    if (act === "suggest" || act === "simulate") {
      event.preventDefault();
      draw(yaml.value, act === "suggest" ? "suggest" : "simulate ");
    }
  });

  // Lists complete from values that calls have really had.
  let known = null;
  form.addEventListener("focusin", async (event) => {
    const name = event.target.dataset?.seen;
    if (!name) return;
    known ??= fetch("/design-seen")
      .then((answer) => (answer.ok ? answer.json() : {}))
      .catch(() => ({}));
    const values = (await known)[name] ?? [];
    const list = byId(`seen-${name}`);
    const field = event.target;
    const fill = () => {
      const typed = field.value.split(",");
      const before = typed
        .slice(0, -1)
        .map((each) => each.trim())
        .filter(Boolean);
      list.replaceChildren(
        ...values
          .filter((each) => !before.includes(each))
          .map((each) => {
            const made = document.createElement("option");
            made.value = [...before, each].join(", ");
            return made;
          }),
      );
    };
    fill();
    if (!field.dataset.fills) {
      field.dataset.fills = "1";
      field.addEventListener("input", fill);
    }
  });
  handle();
  if (!wrongs.querySelector(".wronglist") && !document.querySelector("#simulation .tiles"))
    draw(yaml.value, "simulate");
}
