// The bars between panel, editor and result. GraphiQL moves them by the mouse alone; here the arrow keys move them, too.
import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect } from "react";

// In pixels.
const STEP = 40;
const LEAST = 200;

// Where each is, its name, and where GraphiQL keeps it.
const BARS = [
  [".graphiql-main > .graphiql-horizontal-drag-bar", "Width of the panel", "docExplorerFlex"],
  [".graphiql-sessions .graphiql-horizontal-drag-bar", "Width of the editor", "editorFlex"],
];

const STORE = pick("visiblePlugin", "storage");

export function Bars() {
  const { visiblePlugin, storage } = useGraphiQL(STORE);
  useEffect(() => {
    const ends = BARS.map(([where, label, key]) => {
      const bar = document.querySelector(where);
      return bar && movable(bar, label, (flex) => storage.set(key, flex));
    });
    return () => ends.forEach((end) => end?.());
  }, [visiblePlugin, storage]);
  return null;
}

/** Make a bar one that the keyboard reaches and moves. Returns what ends it. */
function movable(bar, label, keep) {
  const [first, second] = [bar.previousElementSibling, bar.nextElementSibling];
  const attributes = { role: "separator", tabindex: "0", "aria-orientation": "vertical", "aria-label": label };
  Object.entries(attributes).forEach(([name, value]) => bar.setAttribute(name, value));
  const observer = new ResizeObserver(() => {
    bar.setAttribute("aria-valuenow", Math.round((100 * first.offsetWidth) / (first.offsetWidth + second.offsetWidth)));
  });
  observer.observe(first);
  const move = (event) => {
    const asked = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    if (!asked) return;
    event.preventDefault();
    const [left, right] = [inner(first), inner(second)];
    const by = Math.max(LEAST - left, Math.min(asked, right - LEAST));
    const flex = String((left + by) / (right - by));
    first.style.flex = flex;
    keep(flex);
  };
  bar.addEventListener("keydown", move);
  return () => {
    observer.disconnect();
    bar.removeEventListener("keydown", move);
  };
}

/** The width of what an element holds. The flex of two neighbours is the ratio of these. */
function inner(element) {
  const { paddingLeft, paddingRight } = getComputedStyle(element);
  return element.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
}
