// Stands in for the chart library that TFMA's bundle would load from the network: draws each chart as a table, and bars
// above it where TFMA has some.
//
// Defines the part of google.charts and google.visualization that the bundle calls. As google.charts.load is there
// already when the bundle starts, it asks the network for nothing. Whatever is drawn is text, so that a class name
// stays a name; only TFMA's own elements are let through as elements, with their attributes alone.
"use strict";

(() => {
  const STYLE = `
    table { border-collapse: collapse; font: 13px/1.4 system-ui, sans-serif; color: #1f2328; background: #fff; }
    caption { text-align: left; color: #59636e; padding: 4px 0; }
    th, td { border: 1px solid #d1d9e0; padding: 4px 10px; text-align: right; white-space: nowrap; }
    th { background: #f6f8fa; cursor: pointer; position: sticky; top: 0; }
    th:first-child, td:first-child { text-align: left; }
    tr.selected td { background: #ddf4ff; }
    .frame { overflow: auto; max-height: 32rem; }
    svg { display: block; width: 100%; max-width: 60rem; height: 8rem; background: #f6f8fa; fill: #54aeff; }
    svg .highlighted { fill: #0969da; }
    .chart { max-height: 14rem; }`; // TFMA leaves a chart no more room
  const SVG = "http://www.w3.org/2000/svg";
  const SHOWN_ELEMENT = /^<tfma-[a-z0-9-]+ [^<>]*><\/tfma-[a-z0-9-]+>$/;

  const asCell = (value) => (value !== null && typeof value === "object" && "v" in value ? value : { v: value });
  const asText = ({ v, f }) => String(f ?? (typeof v === "number" ? Number(v.toPrecision(5)) : v) ?? "");
  const asLabel = (column) => String(column !== null && typeof column === "object" ? (column.label ?? "") : column);

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  }

  class DataTable {
    constructor({ cols = [] } = {}) {
      this.labels = cols.map(asLabel);
      this.rows = [];
    }
    addRows(rows) {
      this.rows.push(...rows.map((row) => row.map(asCell)));
    }
    getNumberOfRows() {
      return this.rows.length;
    }
    sort([{ column }]) {
      this.rows.sort((a, b) => compare(a[column].v, b[column].v));
    }
  }

  function arrayToDataTable([labels, ...rows]) {
    // A column with a role, such as a tooltip, tells how to draw another one.
    const shown = [...labels.keys()].filter((column) => !labels[column]?.role);
    const table = new DataTable({ cols: shown.map((column) => labels[column]) });
    table.addRows(rows.map((row) => shown.map((column) => row[column])));
    return table;
  }

  class DataView {
    constructor(table) {
      this.table = table;
      this.columns = table.labels.map((_, index) => index);
    }
    setColumns(columns) {
      this.columns = columns.filter(Number.isInteger);
    }
    getNumberOfRows() {
      return this.table.rows.length;
    }
    get labels() {
      return this.columns.map((column) => this.table.labels[column]);
    }
    get rows() {
      return this.table.rows.map((row) => this.columns.map((column) => row[column]));
    }
  }

  const listeners = new WeakMap();
  const events = {
    addListener(source, name, listener) {
      if (!listeners.has(source)) listeners.set(source, []);
      listeners.get(source).push([name, listener]);
    },
    addOneTimeListener(source, name, listener) {
      const once = (detail) => {
        listeners.set(source, listeners.get(source).filter((entry) => entry[1] !== once));
        listener(detail);
      };
      events.addListener(source, name, once);
    },
  };
  function fire(source, name, detail) {
    for (const [heard, listener] of [...(listeners.get(source) ?? [])]) if (heard === name) listener(detail);
  }

  function fill(element, cell) {
    const text = asText(cell);
    if (!SHOWN_ELEMENT.test(text)) {
      element.textContent = text;
      return;
    }
    const parsed = new DOMParser().parseFromString(text, "text/html").body.firstElementChild;
    const shown = document.createElement(parsed.localName);
    for (const { name, value } of parsed.attributes) if (!name.startsWith("on")) shown.setAttribute(name, value);
    element.append(shown);
  }

  // A bar a row, as high as the row's second cell. TFMA marks bars of its histogram by their place in Google's drawing:
  // in the second child of the first clipped group, and again in the group three further.
  function drawBars(rows) {
    const svg = document.createElementNS(SVG, "svg");
    const add = (parent, name, attributes = {}) => {
      const element = parent.appendChild(document.createElementNS(SVG, name));
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      return element;
    };
    const values = rows.map((row) => (Number.isFinite(row[1].v) ? row[1].v : 0));
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
    const height = high - low || 1;
    svg.setAttribute("viewBox", `0 0 ${Math.max(rows.length, 1)} 100`);
    svg.setAttribute("preserveAspectRatio", "none");
    const clipped = add(svg, "g", { "clip-path": "none" });
    add(clipped, "g");
    const bars = add(clipped, "g");
    const [, , again] = ["g", "g", "g"].map((name) => add(svg, name));
    values.forEach((value, index) => {
      const place = { x: index + 0.1, width: 0.8, y: ((high - Math.max(value, 0)) / height) * 100 };
      const bar = add(bars, "rect", { ...place, height: (Math.abs(value) / height) * 100 });
      add(bar, "title").textContent = rows[index].map(asText).join(": ");
      add(again, "rect", { width: 0, height: 0 });
    });
    return svg;
  }

  class Chart {
    constructor(container, type = "Chart") {
      this.container = container;
      this.type = type;
      this.selection = [];
      this.order = null; // of the rows, once a person has sorted them
    }
    draw(data, options = {}) {
      this.rows = data.rows;
      this.order = null;
      const style = document.createElement("style");
      style.textContent = STYLE;
      const table = document.createElement("table");
      const frame = document.createElement("div");
      frame.className = "frame";
      if (this.type !== "Table") {
        frame.classList.add("chart");
        table.createCaption().textContent = this.title(options);
      }
      const header = table.createTHead().insertRow();
      data.labels.forEach((label, column) => {
        const cell = document.createElement("th");
        cell.textContent = label;
        cell.addEventListener("click", () => this.sort(column));
        header.append(cell);
      });
      this.body = table.createTBody();
      this.rowElements = this.rows.map((row, index) => {
        const element = this.body.insertRow();
        for (const cell of row) fill(element.insertCell(), cell);
        element.addEventListener("click", () => this.select(index));
        return element;
      });
      frame.append(table);
      this.container.replaceChildren(style, ...this.drawing(), frame);
      this.setSelection(this.selection);
      fire(this, "ready");
    }
    drawing() {
      return [];
    }
    title({ title, hAxis, vAxis }) {
      const axes = [hAxis?.title, vAxis?.title].filter(Boolean).join(", ");
      return [title, axes, "the chart as a table"].filter(Boolean).join(": ");
    }
    sort(column) {
      this.order = { column, ascending: !(this.order?.column === column && this.order.ascending) };
      const sign = this.order.ascending ? 1 : -1;
      const sorted = [...this.rows.keys()].sort(
        (a, b) => sign * compare(this.rows[a][column].v, this.rows[b][column].v),
      );
      this.body.append(...sorted.map((index) => this.rowElements[index]));
      fire(this, "sort", { column, ascending: this.order.ascending, sortedIndexes: sorted });
    }
    select(row) {
      this.setSelection(this.selection.some((one) => one.row === row) ? [] : [{ row, column: null }]);
      fire(this, "select");
    }
    getSelection() {
      return this.selection;
    }
    setSelection(selection) {
      this.selection = selection ?? [];
      (this.rowElements ?? []).forEach((element, row) =>
        element.classList.toggle("selected", this.selection.some((one) => one.row === row)),
      );
    }
  }

  class ColumnChart extends Chart {
    drawing() {
      return [drawBars(this.rows)];
    }
  }

  class ChartWrapper {
    constructor({ container }) {
      this.container = container;
      this.chart = null;
    }
    setChartType(type) {
      this.type = type;
    }
    setDataTable(data) {
      this.data = data;
    }
    setOptions(options) {
      this.options = options;
    }
    getChart() {
      return this.chart;
    }
    draw() {
      if (this.chart?.type !== this.type) {
        this.chart = new Chart(this.container, this.type);
        events.addListener(this.chart, "select", () => fire(this, "select"));
      }
      this.chart.draw(this.data, this.options);
      fire(this, "ready");
    }
  }

  window.google = {
    charts: { load: () => Promise.resolve() },
    visualization: { DataTable, arrayToDataTable, DataView, ChartWrapper, ColumnChart, events },
  };
})();
