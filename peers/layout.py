"""What is wrong with where the text of a page stands, as a browser has really laid it out."""

from playwright.sync_api import Page

_CROWDED = r"""() => {
  const spare = 2, found = [];
  const words = (node) => JSON.stringify(node.textContent.trim().replace(/\s+/g, " ").slice(0, 50));
  const up = function* (element) { for (let each = element; each; each = each.parentElement) yield each; };
  const is_block = (element) => !["inline", "contents"].includes(getComputedStyle(element).display);
  const inside = (a, b) => ({
    left: Math.max(a.left, b.left), right: Math.min(a.right, b.right), top: Math.max(a.top, b.top),
    bottom: Math.min(a.bottom, b.bottom),
  });
  const is_scrolled = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  const is_there = (a) => a.right - a.left > spare && a.bottom - a.top > spare;

  function seen(node, line) {  // the part of a line that nobody has to scroll a table to; what is cut off is told
    let left = inside(line, line);
    for (const each of up(node.parentElement)) {
      if (each === document.body) break;
      const box = each.getBoundingClientRect();
      if (each.matches("svg, svg *")) continue;
      if (is_scrolled(each)) left = inside(left, box);
      else if (getComputedStyle(each).overflowX === "visible") continue;
      else if (left.left < box.left - spare || left.right > box.right + spare) found.push(`${words(node)} is cut off`);
    }
    return left;
  }

  const lines = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode, element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest(".vh, .skip, title, option, textarea")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const block = up(element).find(is_block), home = block.getBoundingClientRect();
    const may_leave = element.matches("svg *") || is_scrolled(block);
    for (const line of range.getClientRects()) {
      if (!may_leave && (line.left < home.left - spare || line.right > home.right + spare)) {
        found.push(`${words(node)} runs out of its place`);
      }
      const left = seen(node, line);
      if (is_there(left)) lines.push({ node, ...left });
    }
  }
  lines.sort((a, b) => a.top - b.top);
  lines.forEach((a, at) => {
    for (let next = at + 1; next < lines.length && lines[next].top < a.bottom - spare; next++) {
      const b = lines[next];
      if (a.node !== b.node && is_there(inside(a, b))) found.push(`${words(a.node)} and ${words(b.node)} overlap`);
    }
  });
  const width = document.documentElement.scrollWidth;
  if (width > window.innerWidth) found.push(`${width} px wide in a window of ${window.innerWidth}`);
  return [...new Set(found)];
}"""


_FAINT = r"""() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  function brightness(colour) {  // relative luminance of WCAG 2.2, of any way to write a colour
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }
  const found = [];
  for (const group of document.querySelectorAll("svg g:has(> rect):has(> text)")) {
    const [a, b] = ["rect", "text"].map((name) => brightness(getComputedStyle(group.querySelector(name)).fill));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${group.querySelector("text").textContent}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""


def faint(page: Page) -> list[str]:
    """Every text that a drawing puts on a box of its own at less than 4.5:1 (WCAG 2.2, 1.4.3), which axe leaves out."""
    found: list[str] = page.evaluate(_FAINT)
    return found


def crowded(page: Page) -> list[str]:
    """Every text that leaves the box of its paragraph or cell, is cut off where nobody can scroll to it, or stands over
    another text, and the page's own width where it scrolls sideways. Two pixels are forgiven."""
    found: list[str] = page.evaluate(_CROWDED)
    return found
