// How classes look: a colour and a shape each, so that neither is needed to tell them apart.

export const SHAPES = [
  "M1 0A1 1 0 1 1 -1 0A1 1 0 1 1 1 0Z",
  "M-.88-.88H.88V.88H-.88Z",
  "M0-1.15L1.08.78H-1.08Z",
  "M0-1.25L1.1 0L0 1.25L-1.1 0Z",
  "M-.4-1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z",
];
const paths = SHAPES.map((d) => new Path2D(d));

export function drawMark(pen, label, x, y, size, colour, edge) {
  pen.save();
  pen.translate(x, y);
  pen.scale(size, size);
  pen.fillStyle = colour;
  pen.strokeStyle = edge;
  pen.lineWidth = edge === "#fff" ? 0.35 : 0.5;
  pen.fill(paths[label]);
  pen.stroke(paths[label]);
  pen.restore();
}

export const rgb = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
