"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

const COLOURINGS = {
  deviation: { values: (lap) => lap.deviation.map(Math.abs), unit: "m", low: () => 0, digits: 2 },
  speed: { values: (lap) => lap.speed, unit: "m/s", low: (values) => Math.floor(Math.min(...values)), digits: 0 },
};

function roundTop(values, name) {
  const largest = values.reduce((most, value) => Math.max(most, value), 0);
  if (name === "speed") return Math.ceil(largest) || 1;
  return [0.05, 0.1, 0.2, 0.3, 0.5, 1, 1.5, 2].find((top) => largest <= top) || Math.ceil(largest);
}

class RunView {
  constructor() {
    this.map = new LapMap(byId("map"), data, (index) => this.mark(index));
    this.graphs = this.makeGraphs();
    this.colouring = "deviation";
    this.scales = Object.fromEntries(Object.keys(COLOURINGS).map((name) => [name, this.scaleOf(name)]));
    document.querySelectorAll("[data-colouring]").forEach((button) => {
      button.addEventListener("click", () => this.colour(button.dataset.colouring));
    });
    byId("along").addEventListener("input", (event) => this.mark(Number(event.target.value)));
    byId("worst").addEventListener("click", () => this.goToWorst());
    const choice = byId("lap");
    if (choice) choice.addEventListener("change", () => this.show(Number(choice.value)));
    this.goToWorst();
  }

  makeGraphs() {
    const mark = (index) => this.mark(index);
    const driven = { key: "speed", style: "driven-line" };
    const make = (id, series, options) =>
      new LapGraph(byId(id), data.laps, data.road.length, series, options, mark);
    return [
      make("speed-graph", [driven, { key: "commandSpeed", style: "command-line" }],
        { label: "Speed over the lap, m/s", fromZero: true }),
      make("deviation-graph", [{ key: "deviation", style: "driven-line" }], {
        label: "Lateral deviation over the lap, m", symmetric: true, fill: true,
        edges: [data.road.halfWidth, -data.road.halfWidth],
      }),
      make("yaw-graph", [{ key: "commandYawRate", style: "command-line" }],
        { label: "Commanded yaw rate over the lap, rad/s", symmetric: true, last: true }),
    ];
  }

  /* One scale for all laps, so that their colours can be compared. */
  scaleOf(name) {
    const values = data.laps.flatMap(COLOURINGS[name].values);
    return { low: COLOURINGS[name].low(values), high: roundTop(values, name) };
  }

  goToWorst() {
    this.show(data.worst.lap);
    this.mark(data.worst.point);
  }

  show(lapIndex) {
    this.lapIndex = lapIndex;
    this.lap = data.laps[lapIndex];
    if (byId("lap")) byId("lap").value = String(lapIndex);
    byId("along").max = String(this.lap.along.length - 1);
    this.graphs.forEach((graph) => graph.show(this.lap));
    this.colour(this.colouring);
    this.mark(Math.min(this.index || 0, this.lap.along.length - 1));
  }

  colour(name) {
    this.colouring = name;
    const { low, high } = this.scales[name];
    const level = (value) => Math.max(0, Math.min(data.levels - 1, Math.floor(((value - low) / (high - low)) * data.levels)));
    const worst = data.worst.lap === this.lapIndex ? data.worst.point : null;
    const stopped = data.stopped && this.lapIndex === data.laps.length - 1;
    this.map.show(this.lap, COLOURINGS[name].values(this.lap).map(level), worst, stopped);
    byId("low").textContent = number(low, low ? COLOURINGS[name].digits : 0);
    byId("high").textContent = number(high, COLOURINGS[name].digits, COLOURINGS[name].unit);
    document.querySelectorAll("[data-colouring]").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.colouring === name));
    });
  }

  mark(index) {
    this.index = index;
    const at = Object.fromEntries(Object.entries(this.lap).map(([key, values]) => [key, values[index]]));
    const texts = {
      "at-arc": number(at.arc, 1, "m"),
      "at-time": number(at.time, 2, "s"),
      "at-speed": number(at.speed, 2, "m/s"),
      "at-deviation": signed(at.deviation, 3, "m"),
      "at-command-speed": number(at.commandSpeed, 2, "m/s"),
      "at-command-yaw": signed(at.commandYawRate, 2, "rad/s"),
    };
    for (const [id, text] of Object.entries(texts)) byId(id).textContent = text;
    const words = `${texts["at-arc"]} from the start line\n${texts["at-time"]}, ${texts["at-speed"]}\n`
      + `${texts["at-deviation"]} off the line\ncommand ${texts["at-command-speed"]}, ${texts["at-command-yaw"]}`;
    this.map.mark(index, words);
    this.graphs.forEach((graph) => graph.mark(index));
    byId("along").value = String(index);
    byId("along").setAttribute("aria-valuetext", words.replaceAll("\n", "; "));
  }
}

if (data.laps.length) new RunView();
for (const [name, title] of [["inference", "Inference times, ms"], ["age", "Frame ages, ms"]]) {
  if (data.histograms[name]) drawHistogram(byId(`${name}-histogram`), data.histograms[name], title);
}
