// The queue by keyboard; never while somebody types.
"use strict";
{
  const all = [...document.querySelectorAll("article.reviewed")];
  const hint = document.querySelector(".keys");
  if (hint) hint.hidden = false;
  const here = () => all.findIndex((each) => each.contains(document.activeElement));
  const go = (at) => {
    const one = all[Math.max(0, Math.min(all.length - 1, at))];
    one?.focus();
    one?.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName))
      return;
    const at = here();
    const one = all[at];
    if (event.key === "j") go(at + 1);
    else if (event.key === "k") go(at - 1);
    else if (one && event.key === "c") one.querySelector("button.claim")?.click();
    else if (one && event.key === "a") one.querySelector("button.yes")?.click();
    else if (one && event.key === "r") {
      const note = one.querySelector("input[name=note]");
      if (note?.value.trim()) one.querySelector("button.no")?.click();
      else note?.focus();
    } else return;
    event.preventDefault();
  });
}
