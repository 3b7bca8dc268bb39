"use strict";

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

function svgElement(parent, name, attributes, text) {
  const element = document.createElementNS(SVG_NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.appendChild(element);
  return element;
}

/* An SVG as wide as its host, in CSS pixels; with a description for screen readers. */
function svgPicture(host, width, height, title) {
  host.textContent = "";
  const picture = svgElement(host, "svg", {
    viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title,
  });
  svgElement(picture, "title", {}, title);
  return picture;
}

function roundStep(span, count) {
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * 0.999);
}

/* Round numbers from `low` to `high`, about `count` of them. */
function ticks(low, high, count) {
  const step = roundStep(high - low || 1, count);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return { values: found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function scale(low, high, from, to) {
  return (value) => from + ((value - low) / (high - low || 1)) * (to - from);
}

/* A line through the points whose value is there; it breaks where one is missing. */
function linePath(xs, ys, toX, toY) {
  let path = "";
  let pen = false;
  for (let i = 0; i < xs.length; i++) {
    if (ys[i] === null) { pen = false; continue; }
    path += `${pen ? "L" : "M"}${toX(xs[i]).toFixed(1)},${toY(ys[i]).toFixed(1)}`;
    pen = true;
  }
  return path;
}

function drawValueAxis(picture, box, low, high, toY, count) {
  const { values, digits } = ticks(low, high, count);
  for (const value of values) {
    svgElement(picture, "line", { class: "grid", x1: box.left, x2: box.right, y1: toY(value), y2: toY(value) });
    svgElement(picture, "text", { x: box.left - 7, y: toY(value) + 4, "text-anchor": "end" },
      value.toFixed(digits).replace("-", "−"));
  }
}

function drawAlongAxis(picture, box, low, high, toX, label) {
  const { values, digits } = ticks(low, high, Math.max(2, Math.min(9, (box.right - box.left) / 85)));
  svgElement(picture, "line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom });
  for (const value of values) {
    svgElement(picture, "line", { class: "axis", x1: toX(value), x2: toX(value), y1: box.bottom, y2: box.bottom + 4 });
    if (label) {
      svgElement(picture, "text", { x: toX(value), y: box.bottom + 17, "text-anchor": "middle" }, value.toFixed(digits));
    }
  }
  if (label) {
    svgElement(picture, "text", { x: (box.left + box.right) / 2, y: box.bottom + 34, "text-anchor": "middle" }, label);
  }
}

/* Draw again whenever the host's width changes. */
function drawToWidth(host, draw) {
  let width = 0;
  const redraw = () => {
    const now = Math.floor(host.clientWidth);
    if (now > 0 && now !== width) { width = now; draw(now); }
  };
  new ResizeObserver(redraw).observe(host);
  redraw();
}

function number(value, digits, unit) {
  if (value === null || value === undefined) return "–";
  return value.toFixed(digits).replace("-", "−") + (unit ? `\u00a0${unit}` : "");
}

function signed(value, digits, unit) {
  const text = number(value, digits, unit);
  return value > 0 ? `+${text}` : text;
}
