// Begins here: the examples of the project, then the page.
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./style.css";
import "./theme.js";
import { createRoot } from "react-dom/client";
import { App } from "./app.jsx";
import { get } from "./server.js";

const { examples } = await get("graphql/playground/examples.json").catch(() => ({ examples: [] }));
createRoot(document.querySelector("#playground")).render(<App examples={examples} />);
