// What the panels share.
import { create } from "zustand";

export const MYSELF = { roles: "", claims: "", token: "", secret: "" };

export const useClew = create(() => ({
  // Whose eyes: the fields of the form "View as".
  viewer: MYSELF,
  // What the server says of it: {id, roles}, or {error}.
  identity: null,
  // `extensions.clew` of the last operation, or null.
  explained: null,
  // The last run: {kind, milliseconds, bytes} or, of a subscription, {kind, transport, results}.
  run: null,
  // The last results of a subscription, the newest first: {number, at, isPatch, sent, whole}.
  deltas: [],
  // Whether each run asks Postgres for EXPLAIN ANALYZE.
  analyze: false,
  // The id of the last job that a mutation has queued.
  job: "",
}));

export const { setState: set, getState: state } = useClew;
