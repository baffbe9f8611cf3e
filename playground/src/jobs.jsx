// "Job output": the chunks of a job as they come.
import { useEffect, useRef, useState } from "react";
import { follow } from "./follow.js";
import { StreamIcon } from "./icons.jsx";
import { panel } from "./panel.jsx";
import { credentials } from "./server.js";
import { set, useClew } from "./state.js";

export const JOBS = panel("Job output", StreamIcon, Jobs);

const OUTPUT = "subscription ($id: ID!) { jobOutput(id: $id) { kind data reset final attempt status } }";
const IDLE = { text: "", state: "" };

function Jobs() {
  const { job, viewer } = useClew();
  const [output, setOutput] = useState(IDLE);
  // An object, so that the same job can be followed again.
  const [followed, setFollowed] = useState(null);
  const end = useRef(null);

  useEffect(() => {
    if (!followed) return undefined;
    setOutput({ text: "", state: "Waiting" });
    return follow({ query: OUTPUT, variables: followed }, credentials(viewer), {
      via: () => {},
      complete: () => {},
      error: ({ message }) => setOutput((known) => ({ ...known, state: message })),
      next: ({ data, errors }) => setOutput((known) => (data ? grown(known, data.jobOutput) : { ...known, state: errors[0].message })),
    });
  }, [followed, viewer]);
  useEffect(() => {
    end.current?.scrollIntoView({ block: "nearest" });
  }, [output]);

  const submit = (event) => {
    event.preventDefault();
    setFollowed({ id: job });
  };
  return (
    <form className="clew-panel" onSubmit={submit}>
      <h2>Job output</h2>
      <label>
        Id of the job
        <input value={job} onChange={({ target }) => set({ job: target.value.trim() })} spellCheck="false" />
      </label>
      <p className="clew-hint">A mutation that queues a job fills it in, if it selects id and status.</p>
      <div className="clew-buttons">
        <button type="submit" className="graphiql-button" disabled={!job}>
          Follow
        </button>
        <button type="button" className="graphiql-button" disabled={!followed} onClick={() => setFollowed(null)}>
          Leave
        </button>
      </div>
      <p role="status">{output.state}</p>
      {output.text && (
        <pre tabIndex="0" role="region" aria-label="Output" className="clew-output">
          {output.text}
          <span ref={end} />
        </pre>
      )}
    </form>
  );
}

/** The output with one more event. After a reset all of the new attempt's output follows. */
function grown(known, { data, reset, final, attempt, status }) {
  if (reset) return { text: "", state: `Attempt ${attempt}` };
  if (final) return { ...known, state: status };
  return { text: known.text + (typeof data === "string" ? data : `${JSON.stringify(data)}\n`), state: "Running" };
}
