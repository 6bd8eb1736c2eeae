// Pictures of what stands in the tables beneath them. Without this the tables are there, open.
"use strict";

// A colour of the style sheet, as the page shows it now.
function colour(name) {
  const probe = document.createElement("span");
  probe.className = `fill-${name}`;
  document.body.append(probe);
  const found = getComputedStyle(probe).fill;
  probe.remove();
  return found;
}
function token(name) {
  const probe = document.createElement("span");
  probe.className = name;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const DRAWINGS = {
  // Stacked areas: how many leads stood in each stage at the end of each step.
  standing(shows, ink) {
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
      grid: { left: 4, right: 12, top: 40, bottom: 4, containLabel: true },
      legend: { top: 0, left: 0, icon: "roundRect", itemWidth: 10, itemHeight: 10, itemGap: 16, textStyle: { color: ink } },
      // As text on the canvas: a tooltip of HTML would bring inline style with it.
      tooltip: { trigger: "axis", renderMode: "richText", confine: true },
      xAxis: { type: "category", boundaryGap: false, data: shows.labels, axisTick: { show: false }, axisLine: { lineStyle: { color: ink, opacity: 0.3 } }, axisLabel: { color: ink, hideOverlap: true } },
      yAxis: { type: "value", minInterval: 1, axisLabel: { color: ink }, splitLine: { lineStyle: { color: ink, opacity: 0.14 } } },
      series: shows.stages.map((line) => ({
        name: line.label,
        type: "line",
        stack: "all",
        step: "end",
        symbol: "none",
        lineStyle: { width: 0 },
        areaStyle: { opacity: 0.9 },
        color: colour(line.stage),
        data: line.counts,
      })),
    };
  },
};

function draw(place) {
  const shows = JSON.parse(place.dataset.shows);
  place.hidden = false;
  const chart = echarts.getInstanceByDom(place) || echarts.init(place, null, { renderer: "canvas" });
  chart.setOption(DRAWINGS[place.dataset.chart](shows, token("note")), true);
  return chart;
}

function drawAll() {
  for (const place of document.querySelectorAll("[data-chart]")) {
    const first = place.hidden;
    draw(place);
    const table = place.parentElement.querySelector("details.data");
    if (first && table) table.open = false;
  }
}

drawAll();
window.addEventListener("resize", () => {
  for (const place of document.querySelectorAll("[data-chart]")) {
    const chart = echarts.getInstanceByDom(place);
    if (chart) chart.resize();
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
document.addEventListener("htmx:afterSwap", drawAll);
