// The editor's colours where GraphiQL's are too pale on their background (WCAG 2.2, 1.4.3).
// GraphiQL's package does not export them: they are read where it has them, before the editor takes them.
import { MONACO_THEME_DATA } from "../node_modules/@graphiql/react/dist/constants.js";

const { dark, light } = MONACO_THEME_DATA;
dark.rules.push({ token: "comment", foreground: "#7fae6b" });
dark.colors["editorLineNumber.foreground"] = "#9aa5b8";
const CHOSEN = ["editorSuggestWidget.selectedForeground", "list.highlightForeground", "list.focusHighlightForeground"];
for (const name of CHOSEN) {
  dark.colors[name] = "#ff7fae";
  light.colors[name] = "#b8047b";
}
