// The colour scheme, before anything is painted: the system's, until the switch says otherwise.
(() => {
  "use strict";
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = "";
  try {
    chosen = localStorage.getItem("samantic-theme") ?? "";
  } catch {
    chosen = ""; // storage is forbidden: the choice lasts as long as the page
  }

  function dark() {
    return chosen ? chosen === "dark" : system.matches;
  }

  function show() {
    document.documentElement.dataset.theme = dark() ? "dark" : "light";
    document.getElementById("theme")?.setAttribute("aria-pressed", String(dark()));
  }

  show();
  system.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme").addEventListener("click", () => {
      chosen = dark() ? "light" : "dark";
      try {
        localStorage.setItem("samantic-theme", chosen);
      } catch {
        // as above
      }
      show();
    });
  });
})();
