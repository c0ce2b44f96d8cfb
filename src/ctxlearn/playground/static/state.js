// The state of the page: a frozen object, and its form as the query of the page's address.

export const LETTERS = "ABCDE";

const number = (value) => {
  const text = String(Math.round(value * 100) / 100);
  return text === "-0" ? "0" : text;
};

/** A point as it stands in the address. */
export const written = (p) => `${LETTERS[p.label]}${number(p.x)}_${number(p.y)}`;

/** The state of a query that the server wrote, in which nothing is left out. */
export function readState(query) {
  const given = new URLSearchParams(query);
  const points = given.get("points").split("~").filter(Boolean).map((word) => {
    const [x, y] = word.slice(1).split("_").map(Number);
    return Object.freeze({ x, y, label: LETTERS.indexOf(word[0]) });
  });
  return Object.freeze({
    mode: given.get("mode"),
    points: Object.freeze(points),
    learners: Object.freeze(given.get("learners").split("~").filter(Boolean)),
    family: given.get("family"),
    classes: Number(given.get("classes")),
    seed: given.has("seed") ? Number(given.get("seed")) : null,
    drawn: Number(given.get("drawn") ?? 0),
    view: Number(given.get("view")),
  });
}

export function writeState(state) {
  const fields = new URLSearchParams({
    mode: state.mode,
    points: state.points.map(written).join("~"),
    learners: state.learners.join("~"),
    family: state.family,
    classes: state.classes,
    view: number(state.view),
  });
  if (state.seed !== null) {
    fields.set("seed", state.seed);
    fields.set("drawn", state.drawn);
  }
  return fields.toString();
}

export const changed = (state, fields) => Object.freeze({ ...state, ...fields });

const withPoints = (state, points) => changed(state, { points: Object.freeze(points) });

export const place = (state, point) => withPoints(state, [...state.points, Object.freeze(point)]);
export const edit = (state, i, fields) =>
  withPoints(state, state.points.map((p, k) => (k === i ? Object.freeze({ ...p, ...fields }) : p)));
export const remove = (state, i) => withPoints(state, state.points.filter((_, k) => k !== i));

/** How many classes learners answer for; as State.n_classes in Python. */
export const classCount = (state) =>
  Math.max(2, ...state.points.map((p) => p.label + 1), state.seed !== null ? state.classes : 2);
