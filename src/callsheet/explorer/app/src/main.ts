// The page begins: its colours first, so that nothing flashes.

import "./parts/app.ts";

const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = (): void => {
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light");
};
dark.addEventListener("change", dress);
dress();
