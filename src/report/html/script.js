"use strict";
(() => {
  const form = document.getElementById("filters");
  const shown = document.getElementById("shown");
  const items = [...document.querySelectorAll("[data-severity]")];
  const words = (item, name) => item.dataset[name].split(" ");

  const apply = () => {
    const data = new FormData(form);
    const severities = new Set(data.getAll("severity"));
    const endpoint = data.get("endpoint");
    const code = data.get("code");
    let findings = 0;
    let connections = 0;
    for (const item of items) {
      const fits =
        words(item, "severity").some((word) => severities.has(word)) &&
        (!endpoint || words(item, "endpoint").includes(endpoint)) &&
        (!code || words(item, "code").includes(code));
      item.hidden = !fits;
      if (fits && item.matches(".cause")) findings += 1;
      if (fits && item.matches("tr")) connections += 1;
    }
    shown.textContent = `${findings} of ${document.querySelectorAll(".cause").length} causes, ` +
      `${connections} of ${document.querySelectorAll("tr[data-severity]").length} connections`;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  apply();

  // What is linked to must not be hidden or folded.
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    if (target.hidden) {
      form.reset();
      apply();
    }
    for (const details of target.querySelectorAll(":scope > details")) details.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  const copy = async (code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      document.execCommand("copy");
    }
  };
  for (const code of document.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "copy";
    button.setAttribute("aria-label", `copy the filter ${code.textContent}`);
    button.addEventListener("click", async () => {
      await copy(code);
      button.textContent = "copied";
      setTimeout(() => (button.textContent = "copy"), 1500);
    });
    code.after(" ", button);
  }

  // Paper has no folds.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open]):not(.as-table)")];
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
  });
})();
