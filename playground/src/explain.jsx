// "Plan and SQL": what the last operation compiled to, and which rules applied.
import { PlanIcon } from "./icons.jsx";
import { panel, Roomy } from "./panel.jsx";
import { set, useClew } from "./state.js";
import { size } from "./summary.jsx";

export const EXPLAIN = panel("Plan and SQL", PlanIcon, Explain);

function Explain() {
  const { explained, deltas, analyze } = useClew();
  return (
    <Roomy title="Plan and SQL">
      <label className="clew-check">
        <input type="checkbox" checked={analyze} onChange={({ target }) => set({ analyze: target.checked })} />
        Ask Postgres too (EXPLAIN ANALYZE runs the statement once more)
      </label>
      {deltas.length > 0 && <Deltas deltas={deltas} />}
      {explained ? <Explanation found={explained} /> : <Nothing />}
    </Roomy>
  );
}

function Nothing() {
  return (
    <p className="clew-hint">Run an operation. In dev everybody sees its plan, elsewhere an admin does.</p>
  );
}

function Explanation({ found }) {
  return (
    <>
      <p>
        {"milliseconds" in found ? `${found.milliseconds} ms in the server, as` : "As"} {found.viewer.roles.join(", ")} {found.viewer.id}
      </p>
      {found.refusedToUser && (
        <p role="note">
          A user would be refused: {found.refusedToUser.message} {found.refusedToUser.hint}
        </p>
      )}
      {found.refusals?.map((refusal, index) => (
        <p role="note" key={index}>
          {refusal.field}: {refusal.operation} of {refusal.entity} is refused. {refusal.why}
        </p>
      ))}
      {found.viewer.roles.includes("admin") && <p className="clew-hint">An admin passes every @allow. View as a role to see its rules.</p>}
      <Section title="Rules" count={found.rules.length}>
        <ul>
          {found.rules.map((rule, index) => (
            <li key={index} className={rule.applies ? "" : "clew-off"}>
              <strong>{rule.about}</strong> {rule.applies ? "applies" : "does not apply"}: <code>{rule.rule}</code>
              <br />
              <small>
                {rule.at} · {rule.why}
              </small>
            </li>
          ))}
        </ul>
      </Section>
      <Section title="Masks" count={found.masks.length}>
        <ul>
          {found.masks.map(({ field, openedBy }) => (
            <li key={field}>
              <strong>{field}</strong> <small>{openedBy.length ? `open by ${openedBy.join(" or ")}` : "open nowhere"}</small>
            </li>
          ))}
        </ul>
      </Section>
      <Section title="Without a plan" count={found.unplanned.length}>
        <ul>
          {found.unplanned.map(({ field, why }) => (
            <li key={field}>
              <strong>{field}</strong> <small>{why}</small>
            </li>
          ))}
        </ul>
      </Section>
      <Section
        title={found.readNow ? "Change events: judged when rows change of" : "Live: runs again when rows change of"}
        count={found.dependencies?.length ?? 0}
      >
        <ul>
          {found.dependencies?.map(({ kind, entity, by }, index) => (
            <li key={index}>
              <strong>{entity}</strong> <code>{by.join(" or ") || "any row"}</code> <small>{kind}</small>
            </li>
          ))}
        </ul>
        {found.readNow?.length > 0 && (
          <p className="clew-hint">Rows of {found.readNow.join(", ")} are read as they are then. Their changes are no events.</p>
        )}
      </Section>
      <Section title="SQL" count={found.sql.length}>
        {found.sql.map((sql, index) => (
          <Statement key={index} name={`SQL ${index + 1}`} sql={sql} parameters={found.parameters[index]} />
        ))}
      </Section>
      <Section title="Postgres" count={found.postgres?.length ?? 0}>
        <Code name="EXPLAIN ANALYZE" text={found.postgres?.join("\n")} />
      </Section>
      <Section title="Plan" count={found.plan.length}>
        <Code name="Plan" text={found.plan.join("\n")} />
      </Section>
    </>
  );
}

/** A part of the panel that can be folded. It is absent without content. */
function Section({ title, count, children }) {
  if (!count) return null;
  return (
    <details open>
      <summary>{title}</summary>
      {children}
    </details>
  );
}

// The content scrolls, so the keyboard must reach it.
const Code = ({ name, text, className }) => (
  <pre tabIndex="0" role="region" aria-label={name} className={className}>
    {text}
  </pre>
);

function Statement({ name, sql, parameters }) {
  return (
    <>
      <Code name={name} text={sql} className="clew-wrapped" />
      {parameters.length > 0 && (
        <ol className="clew-parameters">
          {parameters.map(({ source, value }, index) => (
            <li key={index}>
              <code>
                ${index + 1} = {JSON.stringify(value)}
              </code>
              {source && <small> {source}</small>}
            </li>
          ))}
        </ol>
      )}
    </>
  );
}

function Deltas({ deltas }) {
  const sent = deltas.reduce((sum, delta) => sum + delta.sent, 0);
  const whole = deltas.reduce((sum, delta) => sum + delta.whole, 0);
  return (
    <Section title={`Results: ${size(sent)} sent for ${size(whole)}`} count={deltas.length}>
      <table>
        <thead>
          <tr>
            <th scope="col">No.</th>
            <th scope="col">At</th>
            <th scope="col">Sent</th>
            <th scope="col">Whole</th>
          </tr>
        </thead>
        <tbody>
          {deltas.map(({ number, at, isPatch, sent, whole }) => (
            <tr key={number}>
              <td>{number}</td>
              <td>{at.toLocaleTimeString("en-GB")}</td>
              <td>{isPatch ? `patch, ${size(sent)}` : size(sent)}</td>
              <td>{size(whole)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}
