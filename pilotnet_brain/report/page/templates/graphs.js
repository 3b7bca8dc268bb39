"use strict";

/* One value, or two, over the length of the lap. */
class LapGraph {
  /* series: [{name, key}] of a lap's values; options: {label, range, edges, last, fill}. */
  constructor(host, laps, length, series, options, onPoint) {
    Object.assign(this, { host, laps, length, series, options, onPoint, lap: laps[0], index: null });
    this.range = this.findRange();
    drawToWidth(host, (width) => this.draw(width));
    const follow = (event) => this.point(event);
    host.addEventListener("pointermove", follow);
    host.addEventListener("pointerdown", follow);
  }

  findRange() {
    let [low, high] = [Infinity, -Infinity];
    for (const lap of this.laps) {
      for (const { key } of this.series) {
        for (const value of lap[key]) {
          if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
        }
      }
    }
    if (low > high) return [0, 1];
    if (this.options.symmetric) { high = Math.max(high, -low, 1e-3); low = -high; }
    if (this.options.fromZero) low = Math.min(0, low);
    const room = 0.06 * (high - low || 1);
    return [this.options.fromZero && low === 0 ? 0 : low - room, high + room];
  }

  draw(width) {
    const height = this.options.last ? 182 : 146;
    const box = { left: 50, right: width - 8, top: 6, bottom: this.options.last ? height - 40 : height - 8 };
    this.picture = svgPicture(this.host, width, height, this.options.label);
    this.toX = scale(0, this.length, box.left, box.right);
    this.toY = scale(this.range[0], this.range[1], box.bottom, box.top);
    this.box = box;
    drawValueAxis(this.picture, box, this.range[0], this.range[1], this.toY, 4);
    drawAlongAxis(this.picture, box, 0, this.length, this.toX, this.options.last ? "distance along the line since the start of the lap, m" : "");
    for (const edge of this.options.edges || []) {
      if (edge > this.range[0] && edge < this.range[1]) {
        svgElement(this.picture, "line", { class: "edge", x1: box.left, x2: box.right, y1: this.toY(edge), y2: this.toY(edge) });
      }
    }
    this.lines = svgElement(this.picture, "g", {});
    this.hair = svgElement(this.picture, "line", { class: "hair", y1: box.top, y2: box.bottom, visibility: "hidden" });
    this.dot = svgElement(this.picture, "circle", { class: "dot", r: 4, visibility: "hidden" });
    this.drawLaps();
  }

  drawLaps() {
    if (!this.picture) return;
    this.lines.textContent = "";
    const main = this.series[0];
    for (const lap of this.laps) {
      if (lap !== this.lap) this.drawLine(lap, main, "other");
    }
    if (this.options.fill) this.drawArea(main.key);
    // The commanded line lies, wider, under the driven one: the two are often the same.
    [...this.series].reverse().forEach((series) => this.drawLine(this.lap, series, series === this.series[0] ? "" : "under"));
    this.moveHair();
  }

  drawLine(lap, series, extra) {
    const d = linePath(lap.along, lap[series.key], this.toX, this.toY);
    if (d) svgElement(this.lines, "path", { class: `curve-line ${series.style} ${extra}`, d });
  }

  drawArea(key) {
    const { along } = this.lap;
    const line = linePath(along, this.lap[key], this.toX, this.toY);
    if (!line) return;
    const zero = this.toY(0).toFixed(1);
    const end = this.toX(along[along.length - 1]).toFixed(1);
    svgElement(this.lines, "path", { class: "area", d: `${line}L${end},${zero}L${this.toX(along[0]).toFixed(1)},${zero}Z` });
  }

  show(lap) {
    this.lap = lap;
    this.index = null;
    this.drawLaps();
  }

  mark(index) {
    this.index = index;
    this.moveHair();
  }

  moveHair() {
    if (!this.picture || this.index === null) return;
    const x = this.toX(this.lap.along[this.index]);
    const value = this.lap[this.series[0].key][this.index];
    this.hair.setAttribute("x1", x);
    this.hair.setAttribute("x2", x);
    this.hair.setAttribute("visibility", "visible");
    this.dot.setAttribute("visibility", value === null ? "hidden" : "visible");
    if (value !== null) {
      this.dot.setAttribute("cx", x);
      this.dot.setAttribute("cy", this.toY(value));
    }
  }

  point(event) {
    const across = event.clientX - this.host.getBoundingClientRect().left;
    const { along } = this.lap;
    let nearest = 0;
    let least = Infinity;
    along.forEach((distance, i) => {
      const away = Math.abs(this.toX(distance) - across);
      if (away < least) { least = away; nearest = i; }
    });
    this.onPoint(nearest);
  }
}
