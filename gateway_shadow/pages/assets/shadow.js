// Decisions as they happen: server-sent events of the API, put in as text.
"use strict";
{
  const live = document.getElementById("live");
  const rows = live?.querySelector(".rows");
  const MOST = 300;
  if (rows && live.dataset.first) {
    const bar = live.querySelector(".livebar");
    const state = live.querySelector(".livestate");
    const find = live.querySelector(".find");
    const pause = live.querySelector(".pause");
    const marks = document.getElementById("marks").content;
    const wanted = live.dataset;
    const held = [];
    const WORST = { deny: 3, review: 2, warn: 1, approve: 0 };
    let is_paused = false;
    let come = 0;
    let missed = 0;
    let words = "Connecting …";
    bar.hidden = false;

    const usd = (nano) => {
      if (nano === undefined || nano === null) return "–";
      const dollars = nano / 1e9;
      const small = Math.abs(dollars) < 1 && dollars !== 0;
      return (
        "$" +
        dollars.toLocaleString(
          "en",
          small ? { maximumSignificantDigits: 2 } : { minimumFractionDigits: 2, maximumFractionDigits: 2 },
        )
      );
    };
    const told = (decision) => {
      const reasons = [...(decision.reasons ?? [])].sort((a, b) => WORST[b.verdict] - WORST[a.verdict]);
      const loud = reasons.filter((each) => each.verdict !== "approve");
      const said = (loud.length ? loud : reasons.slice(0, 1)).map(
        (each) => `${each.policy}: ${each.code.replaceAll("_", " ")}`,
      );
      return [...new Set(said)].join("; ") || (decision.judged.rules ? "all rules approve" : "no policy looks at it");
    };
    const cell = (kind, text) => {
      const made = document.createElement(kind);
      made.append(text);
      return made;
    };
    const time = (text) => {
      const made = document.createElement("time");
      const at = new Date(text);
      made.dateTime = text;
      made.title = at.toISOString().replace("T", " ").slice(0, 19) + " UTC";
      made.textContent = zone.format(at);
      return made;
    };
    const row = (decision) => {
      const made = document.createElement("tr");
      const link = document.createElement("a");
      const call = cell("th", link);
      call.scope = "row";
      link.href = `/shadow/story?${new URLSearchParams({ source: decision.source, id: decision.event_id })}`;
      link.textContent = decision.event_id;
      const source = cell("span", decision.source);
      source.className = "hint";
      call.append(" ", source);
      const cost = cell("td", usd(decision.cost_nano_usd));
      cost.className = "n";
      const mark = marks.querySelector(`[data-verdict="${decision.verdict}"]`).firstElementChild.cloneNode(true);
      made.className = "fresh";
      made.append(cell("td", time(decision.event_time)), cell("td", mark), call, cost, cell("td", told(decision)));
      return made;
    };
    const fits = (each) => {
      each.hidden = !each.textContent.toLowerCase().includes(find.value.trim().toLowerCase());
    };
    const tell = () => {
      const left_out = missed ? `; ${missed} left out, for they came faster than can be shown` : "";
      state.textContent = is_paused
        ? `Paused; ${held.length} wait`
        : `${words}${come ? `; ${come} since this page was opened` : ""}${left_out}`;
    };
    const put = (decision) => {
      const made = row(decision);
      fits(made);
      rows.prepend(made);
      while (rows.children.length > MOST) rows.lastElementChild.remove();
      live.querySelector(".none")?.remove();
    };
    const is_wanted = (each) =>
      (!wanted.source || each.source === wanted.source) &&
      (!wanted.eventId || each.event_id === wanted.eventId) &&
      (!wanted.code ||
        (each.reasons ?? []).some(
          (reason) => reason.code === wanted.code && (!wanted.policy || reason.policy === wanted.policy),
        ));

    const asked = new URLSearchParams({ at_most: "10" }); // more in a second nobody can read
    for (const name of ["verdict", "policy"]) if (wanted[name]) asked.set(name, wanted[name]);
    const stream = new EventSource(`/v1/decisions/live?${asked}`);
    stream.addEventListener("begun", () => {
      words = "Live";
      tell();
    });
    stream.addEventListener("gap", (event) => {
      missed += JSON.parse(event.data).missed;
      tell();
    });
    stream.addEventListener("decision", (event) => {
      const decision = JSON.parse(event.data);
      if (!is_wanted(decision)) return;
      come += 1;
      if (is_paused) {
        held.push(decision);
        if (held.length > MOST) held.shift();
      } else put(decision);
      tell();
    });
    stream.onerror = () => {
      words =
        stream.readyState === EventSource.CLOSED
          ? "Not live: the session is over, or too many watch. Load the page again"
          : "Not live: connecting again";
      tell();
    };
    stream.onopen = () => {
      if (words !== "Live") {
        words = "Connected; waiting for Kafka";
        tell();
      }
    };
    pause.addEventListener("click", () => {
      is_paused = !is_paused;
      pause.setAttribute("aria-pressed", String(is_paused));
      pause.textContent = is_paused ? "Go on" : "Pause";
      if (!is_paused) held.splice(0).forEach(put);
      tell();
    });
    find.addEventListener("input", () => {
      for (const each of rows.children) fits(each);
    });
  }
}
