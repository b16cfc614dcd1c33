// The chart of a service: people as steps, the usual range behind them, marks as upright lines, gaps hatched.
"use strict";
(() => {
  const place = document.getElementById("chart");
  const readout = document.getElementById("readout");
  let plot = null;
  let series = null;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  }

  function seconds(at) {
    return Date.parse(at) / 1000;
  }

  const zone = document.documentElement.dataset.zone;
  const hour = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const date = new Intl.DateTimeFormat("en-GB", { timeZone: zone, day: "numeric", month: "short" });

  function clock(s) {
    return hour.format(new Date(s * 1000));
  }

  function day(s) {
    return date.format(new Date(s * 1000));
  }

  function hatch(ctx) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.strokeStyle = colour("strong-line");
    pen.globalAlpha = 0.55;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(-2, 10); pen.lineTo(10, -2); pen.moveTo(-2, 2); pen.lineTo(2, -2); pen.moveTo(6, 10); pen.lineTo(10, 6);
    pen.stroke();
    return ctx.createPattern(tile, "repeat");
  }

  function gaps(u) {
    const { ctx, bbox } = u;
    const step = series.step_minutes * 60;
    ctx.save();
    ctx.fillStyle = hatch(ctx);
    series.points.forEach((point) => {
      if (point.people !== null) return;
      const left = Math.max(u.valToPos(seconds(point.at), "x", true), bbox.left);
      const right = Math.min(u.valToPos(seconds(point.at) + step, "x", true), bbox.left + bbox.width);
      if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
    });
    ctx.restore();
  }

  function marks(u) {
    const { ctx, bbox } = u;
    ctx.save();
    for (const mark of series.marks) {
      const x = Math.round(u.valToPos(seconds(mark.at), "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = mark.kind === "official" ? colour("learning") : mark.kind === "alert" ? colour("outage") : colour("strong-line");
      ctx.lineWidth = (mark.kind === "alert" || mark.kind === "official" ? 2 : 1) * devicePixelRatio;
      ctx.setLineDash(mark.kind === "alert" ? [] : mark.kind === "official" ? [6, 4] : [2, 4]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  function draw() {
    if (plot) plot.destroy();
    const points = series.points;
    const step = series.step_minutes * 60;
    const x = points.map((p) => seconds(p.at));
    // The last value stands for its whole step: one more point ends it.
    x.push(x[x.length - 1] + step);
    const column = (name) => { const found = points.map((p) => p[name]); found.push(found[found.length - 1]); return found; };
    const data = [x, column("high"), column("low"), column("people")];
    const steps = uPlot.paths.stepped({ align: 1 });
    const long = series.points.length * step > 86400 * 1.5;
    const axis = { stroke: colour("soft"), font: "12px system-ui, sans-serif", grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    plot = new uPlot({
      width: place.clientWidth,
      height: place.clientHeight,
      tzDate: (s) => uPlot.tzDate(new Date(s * 1000), zone === "UTC" ? "Etc/UTC" : zone),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: { x: { time: true, range: [x[0], x[x.length - 1]] }, y: { range: (u, low, high) => [0, Math.max(4, Math.ceil((high || 0) * 1.1))] } },
      axes: [
        { ...axis, size: 28, space: 64, ...(long ? { incrs: [1, 2, 5, 7, 10, 14, 30].map((days) => days * 86400) } : {}), values: (u, at) => at.map((s) => (long || clock(s) === "00:00" ? day(s) : clock(s))) },
        { ...axis, size: 36, space: 36, values: (u, at) => at.map((v) => (Number.isInteger(v) ? v : "")) },
      ],
      bands: [{ series: [1, 2], fill: colour("band") }],
      series: [
        {},
        { stroke: "transparent", width: 0, paths: steps, points: { show: false } },
        { stroke: "transparent", width: 0, paths: steps, points: { show: false } },
        { stroke: colour("people"), fill: colour("people") + "40", width: 2, paths: steps, points: { show: false }, spanGaps: false },
      ],
      hooks: {
        drawClear: [gaps],
        draw: [marks],
        setCursor: [(u) => {
          const at = u.cursor.idx;
          const point = at === null || at === undefined ? null : points[Math.min(at, points.length - 1)];
          readout.textContent = point
            ? (long ? day(seconds(point.at)) + " " : "") + clock(seconds(point.at)) + ": " + (point.people === null ? "not heard" : point.people + (point.people === 1 ? " person" : " people")) + (point.expected === null ? "" : ", " + point.expected.toFixed(point.expected < 10 ? 1 : 0) + " usual")
            : "";
        }],
      },
    }, data, place);
  }

  async function load() {
    const answer = await fetch(place.dataset.src, { headers: { accept: "application/json" } });
    if (!answer.ok) {
      place.textContent = "The figures could not be read; the table below may still have them.";
      return;
    }
    series = await answer.json();
    draw();
  }

  load();
  document.addEventListener("refreshed", load);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => series && draw());
  new ResizeObserver(() => plot && plot.setSize({ width: place.clientWidth, height: place.clientHeight })).observe(place);
})();
