// JSON Patch (RFC 6902), as far as Clew sends it: add, remove, replace, move.

/** The value after the steps. The value before stays as it is. */
export function patched(before, steps) {
  const root = { "": structuredClone(before) };
  for (const { op, from, path, value } of steps) {
    if (op === "add" || op === "replace") put(root, path, value, op === "add");
    else if (op === "remove") take(root, path);
    else if (op === "move") put(root, path, take(root, from), true);
    else throw new Error(`The patch has an unknown step: ${op}.`);
  }
  return root[""];
}

/** The parent of a place, and the key in it. A pointer is `""`, or `/key/...` (RFC 6901). */
function place(root, pointer) {
  const keys = pointer.split("/").map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = keys.pop();
  return [keys.reduce((value, key) => value[key], root), last];
}

function put(root, pointer, value, inserts) {
  const [parent, key] = place(root, pointer);
  if (inserts && Array.isArray(parent)) parent.splice(key === "-" ? parent.length : Number(key), 0, value);
  else parent[key] = value;
}

function take(root, pointer) {
  const [parent, key] = place(root, pointer);
  const value = parent[key];
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return value;
}
