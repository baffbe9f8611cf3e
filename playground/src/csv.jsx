// The button that downloads the rows of the current list query.
import { pick, ToolbarButton, tryParseJSONC, useGraphiQL } from "@graphiql/react";
import { getNamedType, getNullableType, getOperationAST, isListType, isObjectType } from "graphql";
import { useState } from "react";
import { DownloadIcon } from "./icons.jsx";
import { credentials, post, refusal } from "./server.js";
import { useClew } from "./state.js";

const EDITORS = pick("documentAST", "operationName", "schema", "queryEditor", "variableEditor", "headerEditor");

export function CsvButton() {
  const editors = useGraphiQL(EDITORS);
  const viewer = useClew((state) => state.viewer);
  const [fault, setFault] = useState("");
  const reason = whyNot(editors);
  const download = async () => {
    if (reason) return;
    setFault("");
    try {
      setFault(await save(editors, viewer));
    } catch (error) {
      setFault(error.message);
    }
  };
  const label = reason ? `No CSV: ${reason}` : fault ? `No CSV: ${fault}` : "Download as CSV";
  return (
    <>
      <ToolbarButton label={label} onClick={download} aria-disabled={Boolean(reason)} className={reason ? "clew-disabled" : ""}>
        <DownloadIcon className="graphiql-toolbar-icon" aria-hidden="true" />
      </ToolbarButton>
      {fault && (
        <p role="alert" className="clew-fault">
          {fault}
          <button type="button" onClick={() => setFault("")}>
            Close
          </button>
        </p>
      )}
    </>
  );
}

/** Why the current operation is no export, or "". The server has the last word. */
function whyNot({ documentAST, operationName, schema }) {
  const operation = documentAST && getOperationAST(documentAST, operationName);
  if (!operation || !schema) return "write a query of a list.";
  if (operation.operation !== "query") return `a ${operation.operation} cannot be exported.`;
  const { selections } = operation.selectionSet;
  if (selections.length !== 1 || selections[0].kind !== "Field") return "an export has one root field.";
  const type = schema.getQueryType()?.getFields()[selections[0].name.value]?.type;
  if (!type || !isListType(getNullableType(type)) || !isObjectType(getNamedType(type))) return "the root field is no list.";
  return "";
}

/** Ask for the file and save it. Returns the server's refusal, or "". */
async function save({ queryEditor, variableEditor, headerEditor, operationName }, viewer) {
  const headers = { ...credentials(viewer), ...tryParseJSONC(headerEditor?.getValue()) };
  const variables = tryParseJSONC(variableEditor?.getValue());
  const response = await post("export.csv", { query: queryEditor.getValue(), variables, operationName }, headers);
  if (!response.ok) return refusal(response);
  const [, name] = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "") ?? [];
  const url = URL.createObjectURL(await response.blob());
  Object.assign(document.createElement("a"), { href: url, download: name ?? "export.csv" }).click();
  URL.revokeObjectURL(url);
  return "";
}
