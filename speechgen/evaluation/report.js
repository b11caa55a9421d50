"use strict";
// What can be chosen in the page: differences, the worst, slices, and the blind test. Nothing is fetched.
const held = id => JSON.parse(document.getElementById(id).textContent);
const report = held("report"), columns = held("columns"), sounds = held("sounds");
const byId = id => document.getElementById(id);
const make = (tag, text = "", kind = "") => {
  const element = document.createElement(tag);
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
};
const fill = (select, pairs) => pairs.forEach(([value, text]) => select.add(new Option(text, value)));
const column = name => columns.find(one => one.name === name);
const shown = (value, digits) => value.toFixed(digits);
const coded = report.systems.map(system => system.name).filter(name => name !== "recording");

function table(id, header, rows) {
  const head = make("thead"), line = make("tr"), body = make("tbody");
  header.forEach(text => line.append(make("th", text)));
  head.append(line);
  rows.forEach(cells => {
    const row = make("tr");
    row.append(...cells);
    body.append(row);
  });
  byId(id).replaceChildren(head, body);
}

function estimate(values, digits, sign = false) {
  const cell = make("td");
  if (!values) return make("td", "–", "none");
  const plus = sign && values.mean > 0 ? "+" : "";
  cell.append(plus + shown(values.mean, digits));
  cell.append(make("small", `${shown(values.ci95[0], digits)} to ${shown(values.ci95[1], digits)}`));
  return cell;
}

// Green where better and red where worse, the deeper the surer; strength 0 to 1.
function tint(cell, strength) {
  const amount = Math.max(-1, Math.min(1, strength));
  if (Math.abs(amount) < 0.02) return;
  cell.style.background = amount > 0 ? `rgba(0,158,115,${0.3 * amount})` : `rgba(213,94,0,${-0.35 * amount})`;
}

function differences() {
  const system = byId("difference-system").value;
  const lines = report.differences.filter(line => line.system === system);
  table("differences", ["against", ...columns.map(one => one.title)], lines.map(line => [
    make("td", line.against),
    ...columns.map(one => {
      const values = line[one.name], cell = estimate(values, one.digits, true);
      if (values && (values.ci95[0] > 0 || values.ci95[1] < 0)) tint(cell, (values.mean > 0) === one.higher ? 1 : -1);
      return cell;
    }),
  ]));
}

function slices() {
  const metric = column(byId("slice-metric").value), by = byId("slice-by").value;
  const overall = {};
  report.systems.forEach(system => { overall[system.name] = system[metric.name]; });
  const rows = report.slices.filter(line => !by || line.by === by).map(line => [
    make("td", `${line.by}: ${line.value}`), make("td", line.n),
    ...coded.map(name => {
      const values = (line.systems[name] || {})[metric.name], cell = estimate(values, metric.digits);
      if (values && overall[name]) {
        const width = overall[name].ci95[1] - overall[name].ci95[0];
        const ahead = (values.mean - overall[name].mean) * (metric.higher ? 1 : -1);
        if (width > 0) tint(cell, ahead / width / 2);
      }
      return cell;
    }),
  ]);
  const all = [make("td", "all"), make("td", ""), ...coded.map(name => estimate(overall[name], metric.digits))];
  table("slices", ["slice", "n", ...coded], [all, ...rows]);
}

function soundOf(system, utterance) {
  const key = `${system}/${utterance}`;
  const player = [...document.querySelectorAll("audio[data-key]")].find(one => one.dataset.key === key);
  return player ? player.src : sounds[key];
}

function worst() {
  const metric = column(byId("worst-metric").value), system = byId("worst-system").value;
  const entries = (report.worst[metric.name] || {})[system] || [];
  table("worst", ["utterance", metric.title, "recording", system], entries.map(entry => [
    make("td", entry.utterance), make("td", shown(entry.value, metric.digits)),
    ...["recording", system].map(version => {
      const cell = make("td"), source = soundOf(version, entry.utterance);
      if (!source) return make("td", "–", "none");
      const button = make("button", "▶ play");
      button.onclick = () => play(source, true);
      cell.append(button);
      return cell;
    }),
  ]));
}

const player = new Audio();
function play(source, fromStart = false) {
  const at = fromStart ? 0 : player.currentTime;
  player.src = source;
  player.currentTime = at;
  player.play();
}

// A blind test: X is the recording (A) or the coded version (B), drawn anew after each answer.
function blind(box) {
  const utterance = box.dataset.utterance, select = box.querySelector("select"), told = box.querySelector("output");
  const tally = { right: 0, asked: 0 };
  let hidden = Math.random() < 0.5 ? "A" : "B";
  const source = letter => soundOf((letter === "X" ? hidden : letter) === "A" ? "recording" : select.value, utterance);
  const restart = () => { tally.right = tally.asked = 0; told.textContent = ""; hidden = Math.random() < 0.5 ? "A" : "B"; };
  select.onchange = restart;
  box.querySelectorAll("[data-play]").forEach(button => {
    button.onclick = () => {
      const ended = player.ended || player.paused;
      const known = source(button.dataset.play);
      if (known) play(known, ended);
      box.querySelectorAll("[data-play]").forEach(one => one.classList.toggle("on", one === button));
    };
  });
  box.querySelectorAll("[data-answer]").forEach(button => {
    button.onclick = () => {
      player.pause();
      const right = button.dataset.answer === hidden;
      tally.asked += 1;
      tally.right += right;
      const chance = byChance(tally.right, tally.asked);
      told.textContent = `${right ? "Right" : "Wrong"}, X was ${hidden}. ${tally.right} of ${tally.asked} right; ` +
        `by guessing alone that good in ${(100 * chance).toFixed(chance < 0.1 ? 1 : 0)} % of cases.`;
      hidden = Math.random() < 0.5 ? "A" : "B";
    };
  });
}

// The chance of at least so many right answers by guessing: the upper tail of a binomial with p = 1/2.
function byChance(right, asked) {
  let total = 0, ways = 1;
  for (let k = 0; k <= asked; k++) {
    if (k >= right) total += ways;
    ways = ways * (asked - k) / (k + 1);
  }
  return total / 2 ** asked;
}

const titles = columns.map(one => [one.name, one.title]);
if (byId("difference-system")) {
  fill(byId("difference-system"), report.subject.map(name => [name, name]));
  byId("difference-system").onchange = differences;
  differences();
}
if (byId("slice-metric")) {
  fill(byId("slice-metric"), titles);
  const kinds = [...new Set(report.slices.map(line => line.by))];
  fill(byId("slice-by"), [["", "everything"], ...kinds.map(kind => [kind, kind])]);
  byId("slice-metric").onchange = byId("slice-by").onchange = slices;
  slices();
}
if (byId("worst-metric")) {
  fill(byId("worst-metric"), titles);
  fill(byId("worst-system"), coded.map(name => [name, name]));
  if (report.subject.length) byId("worst-system").value = report.subject[report.subject.length >> 1];
  byId("worst-metric").onchange = byId("worst-system").onchange = worst;
  worst();
}
document.querySelectorAll(".abx").forEach(blind);
