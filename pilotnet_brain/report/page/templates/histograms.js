"use strict";

/* How many frames took how long, ms. */
function drawHistogram(host, histogram, title) {
  drawToWidth(host, (width) => {
    const height = 190;
    const box = { left: 44, right: width - 10, top: 24, bottom: height - 40 };
    const last = histogram.edges[histogram.edges.length - 1];
    const most = Math.max(...histogram.counts, 1);
    const picture = svgPicture(host, width, height, title);
    const toX = scale(0, last, box.left, box.right);
    const toY = scale(0, most, box.bottom, box.top);
    drawValueAxis(picture, box, 0, most, toY, 4);
    histogram.counts.forEach((count, i) => {
      if (!count) return;
      const [from, to] = [histogram.edges[i], histogram.edges[i + 1]];
      const bar = svgElement(picture, "rect", {
        class: "bar", x: toX(from) + 0.5, width: Math.max(1, toX(to) - toX(from) - 1),
        y: toY(count), height: box.bottom - toY(count),
      });
      svgElement(bar, "title", {}, `${count} frames: ${from.toFixed(2)} to ${to.toFixed(2)} ms`);
    });
    drawAlongAxis(picture, box, 0, last, toX, "ms   (height: number of frames)");
    drawMark(picture, box, toX(histogram.median), "median");
    drawMark(picture, box, toX(Math.min(histogram.p99, last)), "p99");
  });
}

function drawMark(picture, box, x, text) {
  svgElement(picture, "line", { class: "mark", x1: x, x2: x, y1: box.top - 4, y2: box.bottom });
  svgElement(picture, "text", { class: "strong", x, y: box.top - 9, "text-anchor": "middle" }, text);
}
