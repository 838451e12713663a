"""What a benchmark study's page does, and how it looks."""

STYLE = """
nav ul { list-style: none; padding: 0; margin: 1rem 0; display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; }
nav { font-size: 0.9rem; border-bottom: 1px solid #ddd; }
a { color: #0072b2; text-decoration: none; }
h3 { font-size: 0.9rem; font-weight: 600; margin: 1rem 0 0; text-align: center; }
.summary { background: #f3f6fa; border-left: 4px solid #0072b2; padding: 0.6rem 1rem; }
.summary p { margin: 0.25rem 0; }
figure { margin: 0.8rem 0; break-inside: avoid; }
.chart { overflow-x: auto; overflow-y: hidden; }
.choose select { font: inherit; padding: 0.2rem; max-width: 36rem; }
.choose button { font: inherit; padding: 0.15rem 0.6rem; margin-left: 0.3rem; }
.tall { max-height: 40rem; overflow: auto; }
.tall thead th { position: sticky; top: 0; background: white; }
td.text, th.text { text-align: left; }
td.reason { text-align: left; white-space: normal; min-width: 14rem; overflow-wrap: anywhere; }
th { cursor: pointer; }
td.best { font-weight: 700; }
td.bar { min-width: 7rem; background-repeat: no-repeat; print-color-adjust: exact; }
td.bar { background-position: 0 50%; }
svg.look { vertical-align: middle; margin-right: 0.5rem; }
@page { size: A4 landscape; margin: 10mm; }
@media print {
  body { max-width: 1150px; margin: 0; padding: 0; zoom: 0.85; }
  table { font-size: 0.75rem; }
  td, td.text { white-space: normal; }
  .wide { overflow: visible; }
  .choose button, .modebar-container { display: none; }
  .tall { max-height: none; overflow: visible; }
  tr, section > h2 { break-inside: avoid; break-after: avoid; }
}
"""

SCRIPT = """
"use strict";
(() => {
  const template = TEMPLATE;
  const hidden = new Set();
  const shown = (name) => hidden.has(name) ? "legendonly" : true;

  function draw(place) {
    if (place.dataset.drawn || !place.offsetParent) return;
    place.dataset.drawn = "yes";
    const { data, layout } = JSON.parse(place.querySelector("script").textContent);
    place.querySelector("script").remove();
    for (const trace of data) if (trace.legendgroup) trace.visible = shown(trace.legendgroup);
    layout.template = template;
    const config = { displaylogo: false, responsive: true, staticPlot: "shapes" in layout };
    Plotly.newPlot(place, data, layout, config);
    place.on("plotly_legendclick", ({ curveNumber }) => toggle(data[curveNumber].legendgroup));
    place.on("plotly_legenddoubleclick", ({ curveNumber }) => isolate(data, data[curveNumber].legendgroup));
  }

  function toggle(name) {
    hidden.delete(name) || hidden.add(name);
    update();
    return false;
  }

  function isolate(data, name) {
    const others = data.map((trace) => trace.legendgroup).filter((other) => other && other !== name);
    const alone = others.every((other) => hidden.has(other)) && !hidden.has(name);
    hidden.clear();
    if (!alone) others.forEach((other) => hidden.add(other));
    update();
    return false;
  }

  function update() {
    for (const place of document.querySelectorAll(".chart[data-drawn]")) {
      if (!place.data.some((trace) => trace.legendgroup)) continue;
      Plotly.restyle(place, { visible: place.data.map((t) => t.legendgroup ? shown(t.legendgroup) : true) });
    }
  }

  function choose(chooser, step) {
    const select = chooser.querySelector("select");
    const count = select.options.length;
    select.selectedIndex = (select.selectedIndex + step + count) % count;
    const choices = chooser.querySelectorAll(".choice");
    choices.forEach((choice, i) => { choice.hidden = i !== select.selectedIndex; });
    chooser.querySelectorAll(".chart").forEach(draw);
  }

  function sort(head) {
    const body = head.closest("table").tBodies[0];
    const column = head.cellIndex;
    const down = head.dataset.sorted === "up";
    for (const other of head.parentNode.cells) delete other.dataset.sorted;
    head.dataset.sorted = down ? "down" : "up";
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return x === y ? 0 : x === "" ? 1 : -1;
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y, "en", { numeric: true }) : x - y;
      return down ? -order : order;
    };
    [...body.rows].sort(compare).forEach((row) => body.append(row));
  }

  for (const chooser of document.querySelectorAll(".chooser")) {
    chooser.querySelector("select").addEventListener("change", () => choose(chooser, 0));
    const [back, on] = chooser.querySelectorAll("button");
    back.addEventListener("click", () => choose(chooser, -1));
    on.addEventListener("click", () => choose(chooser, 1));
    choose(chooser, 0);
  }
  for (const head of document.querySelectorAll("thead th")) head.addEventListener("click", () => sort(head));
  document.querySelectorAll(".chart").forEach(draw);
})();
"""
