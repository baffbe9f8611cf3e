// The line under the result: how long, how much, and by which way.
import { useClew } from "./state.js";

export const size = (bytes) => (bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(bytes < 10000 ? 1 : 0)} kB`);

export function Summary() {
  const { run, explained, deltas } = useClew();
  let text = "No result.";
  if (run?.kind === "subscription") {
    const [last] = deltas;
    text = `${run.transport || "Connecting"} · ${run.results} ${run.results === 1 ? "result" : "results"}`;
    if (last) text += ` · ${last.isPatch ? `patch of ${size(last.sent)} for ${size(last.whole)}` : size(last.sent)}`;
  } else if (run) {
    text = `${Math.round(run.milliseconds)} ms`;
    if (explained) text += `, ${explained.milliseconds} ms of them in the server`;
    text += ` · ${size(run.bytes)}`;
  }
  return (
    <p className="clew-summary" role="status">
      {text}
    </p>
  );
}
