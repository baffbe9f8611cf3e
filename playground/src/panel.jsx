// A panel in GraphiQL's side bar. A fault in it is told there, and leaves the rest of the page alone.
import { Component } from "react";

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
