// "Model": entities, relations, and who may read what, as a diagram.
import { useEffect, useMemo, useState } from "react";
import { ModelIcon } from "./icons.jsx";
import { panel, Roomy } from "./panel.jsx";
import { credentials, get } from "./server.js";
import { useClew } from "./state.js";

export const MODEL = panel("Model", ModelIcon, Model);

const WIDTH = 210;
const LINE = 17;
const HEAD = 30;
const GAP = 40;
// In the whole window the diagram shrinks to its width, but not below this.
const LEAST_SCALE = 0.8;

function Model() {
  const viewer = useClew((state) => state.viewer);
  const [model, setModel] = useState(null);
  const [fault, setFault] = useState("");
  const [role, setRole] = useState("");
  const [chosen, setChosen] = useState("");
  useEffect(() => {
    get("graphql/playground/model.json", credentials(viewer)).then(setModel, ({ message }) => setFault(message));
  }, [viewer]);
  const boxes = useMemo(() => (model ? arranged(model.entities) : []), [model]);
  if (!model) return <p role={fault ? "alert" : "status"}>{fault || "Loading the model"}</p>;
  const entity = model.entities.find(({ name }) => name === chosen);
  return (
    <Roomy title="Model">
      <label className="clew-role">
        Readable by
        <select value={role} onChange={({ target }) => setRole(target.value)}>
          <option value="">admin</option>
          {model.roles.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <div className="clew-model">
        <div className="clew-diagram" tabIndex="0" role="region" aria-label="Diagram">
          <Diagram boxes={boxes} role={role} chosen={chosen} choose={setChosen} />
        </div>
        {entity && <Details entity={entity} roles={model.roles} />}
      </div>
    </Roomy>
  );
}

/**
 * Boxes with places: columns by the distance from the entity with the most relations, so that lines are short. A column
 * that grows too tall goes on beside itself.
 */
function arranged(entities) {
  const byName = new Map(entities.map((entity) => [entity.name, entity]));
  const near = new Map(entities.map(({ name }) => [name, new Set()]));
  for (const { name, relations } of entities) {
    for (const { target } of relations) if (near.has(target) && target !== name) near.get(name).add(target) && near.get(target).add(name);
  }
  const left = new Set([...byName.keys()].sort((a, b) => near.get(b).size - near.get(a).size));
  const columns = [];
  while (left.size) {
    let level = [left.values().next().value];
    // Those without relations come last, below each other.
    if (!near.get(level[0]).size) level = [...left];
    while (level.length) {
      level.forEach((name) => left.delete(name));
      columns.push(level);
      level = [...new Set(level.flatMap((name) => [...near.get(name)]))].filter((name) => left.has(name));
    }
  }
  const tallest = Math.max(600, Math.sqrt(entities.length) * 200);
  const boxes = [];
  let x = 0;
  for (const names of columns) {
    let y = 0;
    for (const name of names) {
      const entity = byName.get(name);
      const rows = [...entity.fields.map(({ name, type }) => [name, type]), ...entity.relations.filter(({ kind }) => kind === "TO_ONE").map(({ name, type }) => [name, type])];
      const height = HEAD + rows.length * LINE + 8;
      if (y && y + height > tallest) {
        x += WIDTH + GAP;
        y = 0;
      }
      boxes.push({ entity, rows, x, y, height });
      y += height + 28;
    }
    x += WIDTH + GAP;
  }
  return boxes;
}

function Diagram({ boxes, role, chosen, choose }) {
  const byName = new Map(boxes.map((box) => [box.entity.name, box]));
  const width = Math.max(...boxes.map(({ x }) => x)) + WIDTH;
  const height = Math.max(...boxes.map((box) => box.y + box.height));
  return (
    <svg width={width + 20} height={height + 20} style={{ minWidth: LEAST_SCALE * width }} viewBox={`-10 -10 ${width + 20} ${height + 20}`} role="group" aria-label="Entities">
      {boxes.flatMap((from) =>
        from.entity.relations
          .filter(({ kind, target }) => (kind === "TO_ONE" || (kind === "MANY_TO_MANY" && from.entity.name < target)) && byName.has(target))
          .map(({ name, kind, target }) => (
            <path
              key={`${from.entity.name}.${name}`}
              d={line(from, byName.get(target), from.rows.findIndex(([row]) => row === name))}
              className={`clew-line${kind === "TO_ONE" ? "" : " clew-many"}${[from.entity.name, target].includes(chosen) ? " clew-chosen" : ""}`}
            >
              <title>{`${from.entity.name}.${name} → ${target}`}</title>
            </path>
          )),
      )}
      {boxes.map((box) => (
        <Box key={box.entity.name} box={box} role={role} isChosen={chosen === box.entity.name} choose={choose} />
      ))}
    </svg>
  );
}

/** A curve from the row of a to-one, or the head for other relations, to the head of the other box. */
function line(from, to, row) {
  const start = { x: from.x + WIDTH, y: from.y + (row < 0 ? HEAD / 2 : HEAD + row * LINE + LINE / 2) };
  const end = { x: to.x, y: to.y + HEAD / 2 };
  if (to.x < from.x) [start.x, end.x] = [from.x, to.x + WIDTH];
  else if (to.x === from.x) end.x = to.x + WIDTH;
  const out = (to.x < from.x ? -1 : 1) * Math.max(30, Math.abs(end.x - start.x) / 2);
  return `M${start.x} ${start.y}C${start.x + out} ${start.y} ${end.x + (to.x === from.x ? out : -out)} ${end.y} ${end.x} ${end.y}`;
}

function Box({ box: { entity, rows, x, y, height }, role, isChosen, choose }) {
  const reads = role ? entity.readers[role] : { rows: "all" };
  const pick = () => choose(isChosen ? "" : entity.name);
  const onKeyDown = (event) => ["Enter", " "].includes(event.key) && (event.preventDefault(), pick());
  const how = !reads ? "hidden" : reads.rows === "some" ? "some rows" : entity.kind === "table" ? "" : entity.kind;
  return (
    <g
      transform={`translate(${x} ${y})`}
      className={`clew-box${reads ? "" : " clew-off"}${isChosen ? " clew-chosen" : ""}`}
      onClick={pick}
    >
      <rect width={WIDTH} height={height} rx="8" />
      <g role="button" tabIndex="0" aria-pressed={isChosen} onKeyDown={onKeyDown}>
        <text x="10" y="20" className="clew-name">
          {entity.name}
        </text>{" "}
        <text x={WIDTH - 10} y="20" textAnchor="end" className="clew-type">
          {how}
        </text>
      </g>
      {rows.map(([name, type], index) => {
        const isOpen = !role || reads?.fields?.includes(name) || reads?.masked?.includes(name);
        return (
          <g key={name} transform={`translate(10 ${HEAD + index * LINE + 12})`} className={isOpen ? "" : "clew-off"}>
            <text className={entity.key.includes(name) ? "clew-key" : ""}>{name}</text>
            <text x={WIDTH - 20} textAnchor="end" className="clew-type">
              {type}
              {role && reads?.masked?.includes(name) ? " ?" : ""}
            </text>
          </g>
        );
      })}
    </g>
  );
}

function Details({ entity, roles }) {
  // The boxes have no rows for these.
  const lists = entity.relations.filter(({ kind }) => kind.endsWith("MANY"));
  return (
    <section tabIndex="0" aria-label={entity.name}>
      <h3>{entity.name}</h3>
      <p>{entity.description}</p>
      {lists.length > 0 && (
        <>
          <h4>Lists</h4>
          <ul>
            {lists.map(({ name, type }) => (
              <li key={name}>
                {name} <code>{type}</code>
              </li>
            ))}
          </ul>
        </>
      )}
      <h4>Who may read it</h4>
      <ul>
        {roles.map((role) => {
          const reads = entity.readers[role];
          return (
            <li key={role}>
              <strong>{role}</strong>{" "}
              {reads
                ? [`${reads.rows === "all" ? "every row" : "some rows"}: ${reads.fields.join(", ") || "no field on all of them"}`, reads.masked.length && `on some of these only: ${reads.masked.join(", ")}`].filter(Boolean).join("; ")
                : "nothing"}
            </li>
          );
        })}
      </ul>
      <h4>Rules</h4>
      <ul>
        {entity.rules.map((rule) => (
          <li key={rule}>
            <code>{rule}</code>
          </li>
        ))}
      </ul>
    </section>
  );
}
