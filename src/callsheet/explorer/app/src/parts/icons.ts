// Small drawings, 16 units square.

import { html, svg, type TemplateResult } from "lit";

const SHAPES: Record<string, string> = {
  x: "M4 4l8 8M12 4l-8 8",
  back: "M6 4L3 7l3 3M3 7h6a4 4 0 010 8H7",
  off: "M2 2l12 12M4 9a6 6 0 013-2M8 12h.01M9 6.2A6 6 0 0112 9",
  table: "M2.5 3h11v10h-11zM2.5 6.3h11M2.5 9.7h11M6.5 6.3V13",
  warn: "M8 2.5L14.5 13.5h-13zM8 6.5v3.5M8 11.8v.01",
  out: "M9 3H3v10h6M7 8h7M11.5 5.5L14 8l-2.5 2.5",
  plus: "M8 3v10M3 8h10",
  bin: "M3 4.5h10M6.5 4V2.8h3V4M4.5 4.5l.6 8.7h5.8l.6-8.7M6.8 7v4M9.2 7v4",
  cols: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
  find: "M7 2.5a4.5 4.5 0 100 9 4.5 4.5 0 000-9zM10.3 10.3l3.2 3.2",
  star: "M8 2.2l1.8 3.7 4 .6-2.9 2.8.7 4L8 11.4l-3.6 1.9.7-4L2.2 6.5l4-.6z",
  tiles: "M2.5 2.5h4.5v6H2.5zM9 2.5h4.5v3.500H9zM9 8h4.5v5.500H9zM2.5 10.500h4.5v3H2.5z",
  cube: "M8 1.8l5.5 3v6.4L8 14.2l-5.5-3V4.8zM2.5 4.8L8 7.8l5.5-3M8 7.8v6.4",
  down: "M4 6.5l4 4 4-4",
  up: "M4 9.5l4-4 4 4",
};

export function icon(name: keyof typeof SHAPES & string): TemplateResult {
  return html`<svg class="ic" viewBox="0 0 16 16" aria-hidden="true">${svg`<path d=${SHAPES[name]!}></path>`}</svg>`;
}

export const logo = (): TemplateResult => html`<span class="logo" aria-hidden="true"><i></i><i></i><i></i></span>`;
