"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const hidden = new Set();
  const NARROW = 700;

  // Unpacking: base64 of gzip, as text.
  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text.trim()), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  const library = document.getElementById("library");
  const ready = library.textContent.trim() === "" ? Promise.resolve() : unpacked(library.textContent).then((code) => {
    library.remove();
    const script = document.createElement("script");
    script.textContent = code;
    document.head.append(script);
  });

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function template() {
    const axis = {
      gridcolor: style("--line"), linecolor: style("--line"), zerolinecolor: style("--line"), automargin: true,
      ticks: "", title: { standoff: 8 },
    };
    const scene = { backgroundcolor: style("--paper"), gridcolor: style("--line"), showbackground: true };
    return { layout: {
      paper_bgcolor: style("--paper"), plot_bgcolor: style("--paper"),
      font: { color: style("--ink"), family: "system-ui, Verdana, Arial, sans-serif", size: 12 },
      hoverlabel: { align: "left" },
      xaxis: axis, yaxis: axis, scene: { xaxis: scene, yaxis: scene, zaxis: scene },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: style("--soft") },
    } };
  }

  // Black stands for the colour of text, which is light on dark pages.
  const inked = (text) => text.replaceAll('"#000000"', JSON.stringify(style("--ink")));

  // Panels side by side stand below one another where there is no room.
  function restacked(data, layout, width) {
    const pairs = new Map();
    for (const trace of data) {
      const [x, y] = [trace.xaxis ?? "x", trace.yaxis ?? "y"];
      const axes = [layout[x.replace("x", "xaxis")], layout[y.replace("y", "yaxis")]];
      if (axes.every((axis) => axis?.domain)) pairs.set(`${x} ${y}`, axes);
    }
    const panels = [...pairs.values()];
    const columns = new Set(panels.map(([x]) => x.domain[0])).size;
    if (width >= NARROW || columns < 2) return;
    const places = new Map(panels.map(([x, y]) => [x, [x.domain[0], y.domain[1]]]));
    panels.sort((a, b) => places.get(b[0])[1] - places.get(a[0])[1] || places.get(a[0])[0] - places.get(b[0])[0]);
    const height = 330;
    layout.height = 60 + height * panels.length;
    const gap = Math.min(0.3 / panels.length, 90 / layout.height);
    const size = (1 - gap * (panels.length - 1)) / panels.length;
    panels.forEach(([x, y], place) => {
      const [left, top] = places.get(x);
      const own = (layout.annotations ?? []).filter((one) => one.xref === "paper" && one.yref === "paper" &&
        Math.abs(one.y - top) < 1e-6 && one.x >= left - 1e-6 && one.x <= x.domain[1] + 1e-6);
      x.domain = [0, 1];
      y.domain = [1 - place * (size + gap) - size, 1 - place * (size + gap)];
      for (const axis of [x, y]) { delete axis.matches; axis.showticklabels = true; }
      for (const one of own) Object.assign(one, { x: 0, xanchor: "left", y: y.domain[1] });
    });
  }

  const named = (trace) => trace.legendgroup || trace.name;
  const shown = (name) => hidden.has(name) ? "legendonly" : true;

  function swatch(trace) {
    const color = [trace.line?.color, trace.marker?.color, trace.fillcolor].find((one) => typeof one === "string");
    const dashes = { dot: "2 2", dash: "6 3", longdash: "9 3", dashdot: "6 2 2 2" };
    const dash = (dashes[trace.line?.dash] ?? trace.line?.dash ?? "").replaceAll("px", "").replace("solid", "");
    const points = trace.mode === "markers" || trace.stackgroup;
    const body = points ? `<circle cx="8" cy="5" r="4" fill="${color}"/>`
      : `<line x1="0" y1="5" x2="26" y2="5" stroke="${color}" stroke-width="3" stroke-dasharray="${dash}"/>`;
    return `<svg class="look" width="${points ? 16 : 26}" height="10" aria-hidden="true">${body}</svg>`;
  }

  // A legend in HTML wraps, however many names there are; plotly's would cover the chart.
  function legend(place, data) {
    const entries = new Map();
    for (const trace of data) {
      if (trace.showlegend !== false && trace.name && !entries.has(named(trace))) entries.set(named(trace), trace);
    }
    if (entries.size < 2) return;
    const box = document.createElement("div");
    box.className = "legend";
    for (const [name, trace] of entries) {
      const button = document.createElement("button");
      button.dataset.name = name;
      button.innerHTML = swatch(trace);
      button.append(new DOMParser().parseFromString(trace.name, "text/html").body.textContent);
      button.setAttribute("aria-pressed", String(!hidden.has(name)));
      button.title = "click: hide or show; double click: show alone";
      button.addEventListener("click", () => toggle(name));
      button.addEventListener("dblclick", () => isolate([...entries.keys()], name));
      box.append(button);
    }
    place.before(box);
  }

  function toggle(name) {
    hidden.delete(name) || hidden.add(name);
    update();
  }

  function isolate(names, name) {
    const others = names.filter((other) => other !== name);
    const alone = others.every((other) => hidden.has(other));
    hidden.clear();
    if (!alone) others.forEach((other) => hidden.add(other));
    update();
  }

  function update() {
    for (const button of document.querySelectorAll(".legend button")) {
      button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.name)));
    }
    for (const place of document.querySelectorAll(".chart[data-drawn]")) {
      if (!place.data?.some((trace) => named(trace))) continue;
      Plotly.restyle(place, { visible: place.data.map((trace) => named(trace) ? shown(named(trace)) : true) });
    }
  }

  async function draw(place) {
    if (place.dataset.drawn || !place.offsetParent) return;
    place.dataset.drawn = "yes";
    const source = place.querySelector("script");
    if (source) { place.source = source.textContent; source.remove(); }
    await ready;
    const { data, layout } = JSON.parse(inked(place.source));
    for (const trace of data) if (named(trace)) trace.visible = shown(named(trace));
    layout.template = template();
    layout.showlegend = false;
    restacked(data, layout, place.clientWidth);
    if (place.clientWidth < NARROW && layout.margin && !layout.shapes) {
      layout.margin = { ...layout.margin, l: Math.min(layout.margin.l ?? 60, 60), r: Math.min(layout.margin.r ?? 10, 10) };
    }
    const least = layout.meta?.least_width ?? 0;
    if (least > place.clientWidth) layout.width = least;
    place.style.height = `${Math.round(layout.height)}px`;
    if (!place.previousElementSibling?.classList.contains("legend")) legend(place, data);
    const config = { displayModeBar: false, responsive: !layout.width, staticPlot: "shapes" in layout };
    await Plotly.newPlot(place, data, layout, config);
    place.on("plotly_click", (event) => reveal(event.points[0]?.customdata));
  }

  // A click on a point, or on a row of a table, shows the configuration that it stands for.
  const dialog = document.getElementById("configuration");
  let configurations;
  async function reveal(name) {
    if (!dialog || typeof name !== "string") return;
    configurations ??= unpacked(document.getElementById("configurations").textContent).then(JSON.parse);
    const text = (await configurations)[name];
    if (text === undefined) return;
    dialog.querySelector("h3").textContent = name;
    dialog.querySelector("pre").textContent = text;
    if (!dialog.open) dialog.showModal();
  }

  async function copy() {
    const text = dialog.querySelector("pre");
    getSelection().selectAllChildren(text);
    // Pages that are opened as files may not reach the clipboard; the text is marked then.
    await navigator.clipboard?.writeText(text.textContent).catch(() => {});
  }

  dialog?.addEventListener("click", (event) => {
    if (event.target.value === "copy") copy();
    else if (event.target === dialog || event.target.value === "close") dialog.close();
  });

  dark.addEventListener("change", () => {
    for (const place of document.querySelectorAll(".chart[data-drawn]")) {
      Plotly.purge(place);
      delete place.dataset.drawn;
      near.observe(place);
    }
  });

  // Charts are drawn when they come near: a page may hold hundreds.
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { near.unobserve(entry.target); draw(entry.target); }
  }, { rootMargin: "600px" });
  addEventListener("beforeprint", () => document.querySelectorAll(".chart").forEach(draw));

  const packs = new Map();
  async function pack(chooser, number) {
    const source = chooser.querySelector(`script[data-pack="${number}"]`);
    if (!packs.has(source)) packs.set(source, unpacked(source.textContent).then(JSON.parse));
    return packs.get(source);
  }

  async function choose(chooser, step) {
    const select = chooser.querySelector("select");
    const count = select.options.length;
    const chosen = (select.selectedIndex + step + count) % count;
    select.selectedIndex = chosen;
    const each = Number(chooser.dataset.each ?? 0);
    let choices = chooser.querySelectorAll(".choice");
    if (each) {
      const bodies = await pack(chooser, Math.floor(chosen / each));
      if (select.selectedIndex !== chosen) return;
      choices[0].innerHTML = bodies[chosen % each];
      choices[0].hidden = false;
      prepare(choices[0]);
      return;
    }
    choices.forEach((choice, i) => { choice.hidden = i !== chosen; });
    chooser.querySelectorAll(".chart:not([data-drawn])").forEach((place) => near.observe(place));
  }

  function sort(head) {
    const table = head.closest("table");
    const body = table.tBodies[0];
    const column = head.cellIndex;
    const down = head.dataset.sorted === "up";
    for (const other of head.parentNode.cells) delete other.dataset.sorted;
    head.dataset.sorted = down ? "down" : "up";
    whole(table).then(() => {
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return x === y ? 0 : x === "" ? 1 : -1;
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y, "en", { numeric: true }) : x - y;
        return down ? -order : order;
      };
      [...body.rows].sort(compare).forEach((row) => body.append(row));
    });
  }

  // The rest of a long table comes when one scrolls to its end, or sorts it.
  async function whole(table) {
    const rest = table.parentNode.querySelector("script.rest");
    if (!rest) return;
    rest.classList.remove("rest");
    const rows = await unpacked(rest.textContent);
    table.tBodies[0].insertAdjacentHTML("beforeend", rows);
    rest.remove();
  }

  function prepare(root) {
    for (const row of root.querySelectorAll("tr[data-configuration]")) {
      row.title = "click: its configuration as YAML";
      row.addEventListener("click", () => reveal(row.dataset.configuration));
    }
    for (const head of root.querySelectorAll("thead th")) head.addEventListener("click", () => sort(head));
    for (const place of root.querySelectorAll(".chart")) near.observe(place);
    for (const rest of root.querySelectorAll("script.rest")) {
      const box = rest.parentNode;
      box.addEventListener("scroll", () => {
        if (box.scrollTop + box.clientHeight > box.scrollHeight - 400) whole(box.querySelector("table"));
      });
    }
  }

  prepare(document);
  for (const chooser of document.querySelectorAll(".chooser")) {
    chooser.querySelector("select").addEventListener("change", () => choose(chooser, 0));
    const [back, on] = chooser.querySelectorAll("button");
    back.addEventListener("click", () => choose(chooser, -1));
    on.addEventListener("click", () => choose(chooser, 1));
    choose(chooser, 0);
  }
})();
