// Scores on fresh points of the task, by how many points were shown.

const SVG = "http://www.w3.org/2000/svg";
const BOX = { left: 46, right: 12, top: 12, bottom: 36, width: 640, height: 260 };

export class Curve {
  constructor(svg, key, note) {
    Object.assign(this, { svg, key, note, known: [], history: new Map(), of: "", numbers: false });
  }

  lines(known) {
    this.known = known;
    this.draw();
  }

  /** Scores of another task begin anew. */
  task(state) {
    const of = [state.mode, state.family, state.classes, state.seed].join();
    this.numbers = state.mode === "numbers";
    if (of !== this.of) this.history = new Map();
    this.of = of;
    this.drawn = state.seed !== null;
    this.draw();
  }

  add(key, score, n) {
    if (!this.history.has(key)) this.history.set(key, new Map());
    this.history.get(key).set(n, score);
    this.draw();
  }

  draw() {
    const measure = this.numbers ? "root mean squared error" : "share of right answers";
    this.note.textContent = this.drawn
      ? `The ${measure} on 400 fresh points of this task, as points are added. The dashed line is the best possible: on average over tasks of the family nothing beats Bayes.`
      : "Draw a task first: points placed by hand have no fresh ones.";
    this.svg.replaceChildren();
    this.key.replaceChildren();
    const lines = [...this.known];
    if (!lines.some((line) => line.key === "bayes")) lines.push({ key: "bayes", title: "Bayes of the family", colour: "#000000" });
    const shown = lines.filter((line) => this.history.get(line.key)?.size).reverse();
    if (!shown.length) return;
    BOX.width = Math.max(280, Math.min(640, this.svg.clientWidth || 640)); // letters keep their size on a narrow screen
    this.svg.setAttribute("viewBox", `0 0 ${BOX.width} ${BOX.height}`);
    const all = shown.flatMap((line) => [...this.history.get(line.key)]);
    const most = Math.max(10, ...all.map(([n]) => n));
    const [low, high] = this.numbers ? [0, Math.max(...all.map(([, score]) => score)) * 1.1] : [Math.floor(10 * Math.min(0.8, ...all.map(([, s]) => s))) / 10, 1];
    const across = (n) => BOX.left + (n / most) * (BOX.width - BOX.left - BOX.right);
    const down = (score) => BOX.top + ((high - score) / (high - low || 1)) * (BOX.height - BOX.top - BOX.bottom);
    const levels = this.numbers ? 4 : Math.round(10 * (high - low));
    for (let k = 0; k <= levels; k++) {
      const score = low + (k / levels) * (high - low);
      this.#add("line", { x1: BOX.left, x2: BOX.width - BOX.right, y1: down(score), y2: down(score), stroke: "#e4e4e4" });
      this.#add("text", { x: 4, y: down(score) + 4 }, this.numbers ? score.toFixed(2) : `${Math.round(100 * score)} %`);
    }
    const step = [1, 2, 5, 10, 20, 50].find((size) => most / size <= 6);
    for (let n = 0; n <= most; n += step) this.#add("text", { x: across(n), y: BOX.height - 18, "text-anchor": "middle" }, n);
    this.#add("text", { x: BOX.width / 2, y: BOX.height - 2, "text-anchor": "middle" }, "points shown");
    for (const { key, title, colour } of shown) {
      const points = [...this.history.get(key)].sort((a, b) => a[0] - b[0]).map(([n, score]) => [across(n), down(score)]);
      const dash = key === "bayes" ? "6 4" : "none";
      this.#add("polyline", { points: points.map((p) => p.join()).join(" "), fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash });
      for (const [cx, cy] of points) this.#add("circle", { cx, cy, r: 3, fill: colour });
      const label = document.createElement("span"), swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = colour;
      label.append(swatch, title);
      this.key.prepend(label);
    }
    this.svg.setAttribute("aria-label", shown.map((line) => `${line.title}: ${[...this.history.get(line.key).values()].at(-1).toFixed(3)}`).join("; "));
  }

  #add(name, attributes, text = null) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== null) made.textContent = text;
    this.svg.append(made);
  }
}
