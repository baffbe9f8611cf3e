// "View as": whose eyes the playground looks through.
import { useEffect, useState } from "react";
import { EyeIcon } from "./icons.jsx";
import { panel } from "./panel.jsx";
import { credentials, post } from "./server.js";
import { MYSELF, set, useClew } from "./state.js";

export const VIEW_AS = panel("View as", EyeIcon, ViewAs);

/** The server's word for a viewer. */
const named = (identity) =>
  !identity ? "…" : identity.error ? "refused" : `${identity.roles.filter((role) => role !== "anon").join(", ") || "anonymous"}${identity.id ? ` ${identity.id}` : ""}`;

/** Where the logo would be: who the server says asks. A click opens the panel. */
export function Badge() {
  const { viewer, identity } = useClew();
  useEffect(() => {
    let isCurrent = true;
    whoIs(viewer).then((found) => isCurrent && set({ identity: found }));
    return () => (isCurrent = false);
  }, [viewer]);
  const open = () => document.querySelector('[aria-label="Show View as"]')?.click();
  return (
    <button type="button" className="clew-badge" onClick={open} title="Change who asks">
      Viewing as <strong>{named(identity)}</strong>
    </button>
  );
}

async function whoIs(viewer) {
  try {
    const answer = await (await post("graphql", { query: "{ viewer { id roles } }" }, credentials(viewer))).json();
    return answer.data ? answer.data.viewer : { error: answer.errors[0].message };
  } catch (error) {
    return { error: error.message };
  }
}

function ViewAs() {
  const { viewer, identity } = useClew();
  const [draft, setDraft] = useState(viewer);
  const [fault, setFault] = useState("");
  const change = ({ target }) => setDraft({ ...draft, [target.name]: target.value });
  const become = (next) => {
    setDraft(next);
    setFault(faultOf(next));
    if (!faultOf(next)) set({ viewer: next });
  };
  const submit = (event) => {
    event.preventDefault();
    become(draft);
  };
  return (
    <form className="clew-panel" onSubmit={submit} autoComplete="off">
      <h2>View as</h2>
      <p>
        The server says that you are <strong>{named(identity)}</strong>. {identity?.error}
      </p>
      <label>
        Roles, with commas
        <input name="roles" value={draft.roles} onChange={change} placeholder="user, editor" spellCheck="false" />
      </label>
      <label>
        Claims, as JSON
        <textarea name="claims" value={draft.claims} onChange={change} rows="4" placeholder='{"sub": "42"}' spellCheck="false" />
      </label>
      <p className="clew-hint">An admin may look through another&rsquo;s eyes. On this machine, under clew dev, you are an admin.</p>
      <label>
        Token
        <input name="token" type="password" autoComplete="off" value={draft.token} onChange={change} placeholder="eyJ…" />
      </label>
      <label>
        Admin secret
        <input name="secret" type="password" autoComplete="off" value={draft.secret} onChange={change} />
      </label>
      <p className="clew-hint">They stay in this page, and are gone when it is loaded again.</p>
      {fault && <p role="alert">{fault}</p>}
      <div className="clew-buttons">
        <button type="submit" className="graphiql-button">
          Apply
        </button>
        <button type="button" className="graphiql-button" onClick={() => become(MYSELF)}>
          Be myself
        </button>
      </div>
    </form>
  );
}

function faultOf({ roles, claims, token, secret }) {
  if (/[^\x20-\x7e]/.test(roles + token + secret)) return "Roles, token and secret have ASCII characters only.";
  if (!claims) return "";
  if (!roles) return "Claims need a role, such as user.";
  try {
    const value = JSON.parse(claims);
    if (value && typeof value === "object" && !Array.isArray(value)) return "";
  } catch {
    // Told below.
  }
  return 'Claims are a JSON object, such as {"sub": "42"}.';
}
