// The page: GraphiQL with Clew's panels in its side bar, and Clew's line under the result.
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { useMemo } from "react";
import { Bars } from "./bars.jsx";
import { CsvButton } from "./csv.jsx";
import { EXPLAIN } from "./explain.jsx";
import { createFetcher } from "./fetcher.js";
import { JOBS } from "./jobs.jsx";
import { MODEL } from "./model.jsx";
import { useClew } from "./state.js";
import { Summary } from "./summary.jsx";
import { Badge, VIEW_AS } from "./view-as.jsx";

const PLUGINS = [HISTORY_PLUGIN, VIEW_AS, EXPLAIN, JOBS, MODEL];

const WELCOME = `# Write a query, or begin with one of these keys.
#
#   Ctrl-Space    complete          Ctrl-Enter    run
#   F1            all commands      Shift-Ctrl-P  prettify

{
  viewer { id roles }
}
`;

/** `examples` are the project's operations: {name, query, variables}. They are the tabs of the first visit. */
export function App({ examples }) {
  const viewer = useClew((state) => state.viewer);
  const fetcher = useMemo(() => createFetcher(viewer), [viewer]);
  return (
    <>
      <h1 className="clew-unseen">Clew playground</h1>
      <GraphiQL
        fetcher={fetcher}
        plugins={PLUGINS}
        defaultQuery={WELCOME}
        defaultTabs={examples.length ? examples : undefined}
        defaultEditorToolsVisibility
        inputValueDeprecation
      >
        <GraphiQL.Logo>
          <Badge />
        </GraphiQL.Logo>
        <GraphiQL.Toolbar>
          {({ prettify, merge, copy }) => (
            <>
              {prettify}
              {merge}
              {copy}
              <CsvButton />
            </>
          )}
        </GraphiQL.Toolbar>
        <GraphiQL.Footer>
          <Summary />
          <Bars />
        </GraphiQL.Footer>
      </GraphiQL>
    </>
  );
}
