// Hands the data to TFMA's elements.
"use strict";

(() => {
  const { slicing, plots, comparisons, classes } = JSON.parse(document.getElementById("data").textContent);
  const classNames = Object.fromEntries(classes.map((name, id) => [name, String(id)]));

  // Elements inside of TFMA's elements, through all their shadow roots.
  function* inside(root, selector) {
    yield* root.querySelectorAll(selector);
    for (const element of root.querySelectorAll("*")) if (element.shadowRoot) yield* inside(element.shadowRoot, selector);
  }

  function show(place, name, { data, config }) {
    if (!customElements.get(name)) {
      place.textContent = `The installed TFMA has no component ${name}, or it did not start: the browser's console says why.`;
      return;
    }
    const element = document.createElement(name);
    element.config = config;
    element.data = data;
    place.replaceChildren(element);
    requestAnimationFrame(() => {
      // TFMA shows nothing until classes are picked; the first entry is the metrics of all classes together.
      for (const picker of inside(element.shadowRoot, "tfma-config-picker tfma-multi-select, #class-picker"))
        picker.selectIndex(0);
      // TFMA leaves half of a narrow window empty beside its table.
      for (const { shadowRoot } of inside(element.shadowRoot, "tfma-slicing-metrics-browser")) {
        const style = shadowRoot.appendChild(document.createElement("style"));
        style.textContent = "#table { width: 100%; margin: 20px 0; }";
      }
      // TFMA's matrix would name the classes by id.
      for (const matrix of inside(element.shadowRoot, "tfma-multi-class-confusion-matrix-at-thresholds"))
        matrix.classNames = classNames;
    });
  }

  function choose(id, name, views) {
    const section = document.getElementById(id);
    if (!section) return;
    const select = section.querySelector("select");
    const place = section.querySelector(".component");
    select.addEventListener("change", () => show(place, name, views[select.selectedIndex]));
    show(place, name, views[0]);
  }

  slicing.forEach((view, index) =>
    show(document.querySelector(`#slicing-${index} .component`), "tfma-nb-slicing-metrics", view),
  );
  choose("comparisons", "tfma-nb-time-series", comparisons);
  choose("plots", "tfma-nb-plot", plots);
})();
