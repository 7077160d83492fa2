// The page begins: its colours first, so that nothing flashes.

import "./parts/app.ts";

const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = (): void => {
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light");
};
document.querySelector("cs-app")?.addEventListener("dress", () => {
  localStorage.setItem("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  dress();
});
dark.addEventListener("change", dress);
dress();
