// A panel in GraphiQL's side bar. A fault in it is told there, and leaves the rest of the page alone.
import { Component, useEffect, useState } from "react";

export const panel = (title, icon, Content) => ({
  title,
  icon,
  content: () => (
    <Guard>
      <Content />
    </Guard>
  ),
});

class Guard extends Component {
  state = { fault: null };

  static getDerivedStateFromError(fault) {
    return { fault };
  }

  render() {
    return this.state.fault ? <p role="alert">This panel failed: {String(this.state.fault)}</p> : this.props.children;
  }
}

/** What a panel holds that needs room: it is wider than others, and fills the window on demand. */
export function Roomy({ title, children }) {
  const [isWhole, setWhole] = useState(false);
  useEffect(() => {
    // The keyboard must not wander to what is covered.
    const covered = isWhole ? [...document.querySelectorAll(".graphiql-sidebar, .graphiql-horizontal-drag-bar, .graphiql-sessions")] : [];
    covered.forEach((element) => (element.inert = true));
    return () => covered.forEach((element) => (element.inert = false));
  }, [isWhole]);
  return (
    <div className={isWhole ? "clew-panel clew-whole" : "clew-panel clew-roomy"} onKeyDown={({ key }) => key === "Escape" && setWhole(false)}>
      <div className="clew-head">
        <h2>{title}</h2>
        <button type="button" className="graphiql-button" onClick={() => setWhole(!isWhole)}>
          {isWhole ? "Smaller" : "Whole window"}
        </button>
      </div>
      {children}
    </div>
  );
}
