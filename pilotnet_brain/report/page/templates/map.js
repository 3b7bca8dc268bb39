"use strict";

/* The circuit seen from above with one lap on it, coloured by a value along it. */
class LapMap {
  constructor(host, data, onPoint) {
    this.host = host;
    this.data = data;
    this.onPoint = onPoint;
    this.frame();
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    host.append(this.tip);
    this.picture.addEventListener("pointermove", (event) => this.point(event));
    this.picture.addEventListener("pointerdown", (event) => this.point(event));
    this.picture.addEventListener("pointerleave", () => { this.tip.hidden = true; });
  }

  frame() {
    const { x, y, halfWidth } = this.data.road;
    const low = [Math.min(...x), Math.min(...y)];
    const high = [Math.max(...x), Math.max(...y)];
    // What is taller than wide lies on its side: screens have more room that way.
    this.turned = high[1] - low[1] > 1.25 * (high[0] - low[0]);
    const span = this.turned ? [high[1] - low[1], high[0] - low[0]] : [high[0] - low[0], high[1] - low[1]];
    // The start's arrow reaches 24 pixels off the line, on a phone too.
    const across = this.host.clientWidth || 640;
    const margin = Math.max(0.05 * Math.max(...span), (26 * span[0]) / (across - 52));
    this.place = this.turned
      ? (px, py) => [py - low[1] + margin, px - low[0] + margin]
      : (px, py) => [px - low[0] + margin, high[1] - py + margin];
    this.size = Math.max(...span);
    const [width, height] = span.map((s) => s + 2 * margin);
    // Metres that a CSS pixel stands for: marks and texts are as large on every circuit.
    this.pixel = width / across;
    this.picture = svgElement(this.host, "svg", {
      viewBox: `0 0 ${width.toFixed(2)} ${height.toFixed(2)}`, role: "img",
      "aria-label": "The circuit seen from above, with the driven lap",
    });
    svgElement(this.picture, "title", {}, "The circuit seen from above, with the driven lap");
    const road = this.path(x, y) + "Z";
    svgElement(this.picture, "path", { class: "road", d: road, "stroke-width": Math.max(2 * halfWidth, 8 * this.pixel) });
    svgElement(this.picture, "path", { class: "centre", d: road });
    this.drawStart();
    this.lines = svgElement(this.picture, "g", {});
    this.marks = svgElement(this.picture, "g", {});
    this.here = svgElement(this.picture, "circle", { class: "here", r: 5 * this.pixel, "vector-effect": "non-scaling-stroke", visibility: "hidden" });
    this.drawScale(margin, height);
  }

  path(xs, ys) {
    return xs.map((x, i) => `${i ? "L" : "M"}${this.place(x, ys[i]).map((v) => v.toFixed(2)).join(",")}`).join("");
  }

  drawStart() {
    const { x, y, yaw } = this.data.start;
    const reach = 10 * this.pixel;
    const at = (ahead, left) => this.place(
      x + ahead * Math.cos(yaw) - left * Math.sin(yaw), y + ahead * Math.sin(yaw) + left * Math.cos(yaw),
    ).map((v) => v.toFixed(2)).join(",");
    svgElement(this.picture, "path", { class: "start", d: `M${at(0, -reach)}L${at(0, reach)}` });
    const side = 1.9 * reach;
    svgElement(this.picture, "path", {
      class: "start",
      d: `M${at(0, side)}L${at(2 * reach, side)}M${at(1.3 * reach, side - 0.5 * reach)}L${at(2 * reach, side)}L${at(1.3 * reach, side + 0.5 * reach)}`,
    });
  }

  drawScale(margin, height) {
    const length = roundStep(this.size, 6);
    const y = height - 0.35 * margin;
    svgElement(this.picture, "path", { class: "start", d: `M${0.4 * margin},${y}h${length}`, "stroke-opacity": 0.5 });
    svgElement(this.picture, "text", { x: 0.4 * margin, y: y - 5 * this.pixel, style: `font-size:${12 * this.pixel}px` }, `${length} m`);
  }

  /* levels: of every point, 0 to data.levels - 1. */
  show(lap, levels, worst, stopped) {
    this.lap = lap;
    this.xy = lap.x.map((x, i) => this.place(x, lap.y[i]));
    this.lines.textContent = this.marks.textContent = "";
    let first = 0;
    for (let i = 1; i <= levels.length; i++) {
      if (i < levels.length && levels[i] === levels[first]) continue;
      const piece = this.xy.slice(Math.max(0, first - 1), i);
      const d = piece.map(([x, y], k) => `${k ? "L" : "M"}${x.toFixed(2)},${y.toFixed(2)}`).join("");
      svgElement(this.lines, "path", { class: `driven level-${levels[first]}`, d });
      first = i;
    }
    if (worst !== null) {
      const [cx, cy] = this.xy[worst];
      const ring = svgElement(this.marks, "circle", { class: "worst", cx, cy, r: 9 * this.pixel, "vector-effect": "non-scaling-stroke" });
      svgElement(ring, "title", {}, "largest deviation");
    }
    if (stopped) {
      const [x, y] = this.xy[this.xy.length - 1];
      const r = 7 * this.pixel;
      const cross = svgElement(this.marks, "path", { class: "stopped", "vector-effect": "non-scaling-stroke", d: `M${x - r},${y - r}l${2 * r},${2 * r}m0,${-2 * r}l${-2 * r},${2 * r}` });
      svgElement(cross, "title", {}, "the run ended here");
    }
  }

  point(event) {
    if (!this.lap) return;
    const matrix = this.picture.getScreenCTM().inverse();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    let nearest = 0;
    let least = Infinity;
    this.xy.forEach(([x, y], i) => {
      const distance = (x - at.x) ** 2 + (y - at.y) ** 2;
      if (distance < least) { least = distance; nearest = i; }
    });
    this.onPoint(nearest);
    if (event.pointerType === "mouse") this.showTip(event);
  }

  showTip(event) {
    const box = this.host.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    this.tip.hidden = false;
    const left = x + 16 + this.tip.offsetWidth > box.width ? x - 14 - this.tip.offsetWidth : x + 16;
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${Math.max(0, y - this.tip.offsetHeight - 8)}px`;
  }

  mark(index, text) {
    const [cx, cy] = this.xy[index];
    this.here.setAttribute("cx", cx);
    this.here.setAttribute("cy", cy);
    this.here.setAttribute("visibility", "visible");
    this.tip.textContent = text;
  }
}
