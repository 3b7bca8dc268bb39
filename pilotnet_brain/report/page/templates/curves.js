"use strict";

const COLOURS = 7;

/* A value of every model over a disturbance's amount. */
function drawCurve(host, curve, value, models) {
  const read = { finished: (point) => 100 * point.finished, deviation: (point) => point.deviation }[value];
  const points = curve.series.flatMap((series) => series.points);
  const amounts = points.map((point) => point.amount);
  const values = points.map(read).filter((known) => known !== null);
  const [low, high] = [Math.min(...amounts), Math.max(...amounts)];
  const top = value === "finished" ? 100 : 1.08 * Math.max(...values, 0.01);
  drawToWidth(host, (width) => {
    const height = 190;
    const box = { left: 46, right: width - 12, top: 10, bottom: height - 38 };
    const picture = svgPicture(host, width, height, `${curve.name}: ${value}`);
    const toX = scale(low, high, box.left + 6, box.right - 6);
    const toY = scale(0, top, box.bottom, box.top);
    drawValueAxis(picture, box, 0, top, toY, 4);
    drawAlongAxis(picture, box, low, high, toX, `${curve.name.replaceAll("_", " ")}${curve.unit ? `, ${curve.unit}` : ""}`);
    for (const series of curve.series) {
      const style = seriesStyle(models.indexOf(series.model));
      const d = linePath(series.points.map((p) => p.amount), series.points.map(read), toX, toY);
      if (d) svgElement(picture, "path", { class: `curve-line ${style}`, d });
      for (const point of series.points) {
        if (read(point) === null) continue;
        const dot = svgElement(picture, "circle", { class: `curve-dot ${style}`, cx: toX(point.amount), cy: toY(read(point)), r: 3.2 });
        svgElement(dot, "title", {}, `${series.model}, ${point.amount} ${curve.unit}: ${(100 * point.finished).toFixed(0)} % of ${point.runs} runs finished, ${number(point.deviation, 3, "m")} off the line`);
      }
    }
  });
}

/* Seven colours, and dashes from the eighth model on. */
function seriesStyle(index) {
  return `series-${index % COLOURS}${index >= COLOURS ? " dashed" : ""}`;
}

function drawKeys(host, models) {
  models.forEach((model, index) => {
    const key = document.createElement("span");
    const line = svgElement(key, "svg", { viewBox: "0 0 20 8", "aria-hidden": "true" });
    svgElement(line, "path", { class: `key ${seriesStyle(index)}`, d: "M0 4h20" });
    key.append(model);
    host.append(key);
  });
}

const { curves } = JSON.parse(document.getElementById("data").textContent);
const models = [...new Set(curves.flatMap((curve) => curve.series.map((series) => series.model)))];
if (curves.length) drawKeys(document.getElementById("curve-keys"), models);
document.querySelectorAll("[data-curve]").forEach((host) => {
  drawCurve(host, curves[Number(host.dataset.curve)], host.dataset.value, models);
});
