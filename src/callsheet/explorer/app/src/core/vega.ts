// Charts are drawn by Vega, loaded when the first one is shown; expressions are interpreted, so no code is made of text.

import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";
import { parse, View } from "vega";

export interface Drawn {
  resize(width: number, height: number): Promise<unknown>;
  png(): Promise<string>;
  svg(): Promise<string>;
  close(): void;
}

/** Nothing is fetched: a chart shows the numbers that it is given. */
const nowhere = {
  options: {},
  load: () => Promise.reject(new Error("charts load nothing")),
  sanitize: () => Promise.reject(new Error("charts load nothing")),
  http: () => Promise.reject(new Error("charts load nothing")),
  file: () => Promise.reject(new Error("charts load nothing")),
};

export async function draw(into: HTMLElement, spec: Record<string, unknown>, rows: object[], look: Record<string, unknown>): Promise<Drawn> {
  const box = { width: Math.max(80, into.clientWidth - 8), height: Math.max(60, into.clientHeight - 8) };
  const whole = { ...spec, data: { values: rows }, ...box, autosize: { type: "fit", contains: "padding" }, background: "transparent" };
  const { spec: made } = compile(whole as unknown as TopLevelSpec, { config: look as never, logger: quiet() as never });
  const view = new View(parse(made, undefined, { ast: true }), { expr: expressionInterpreter, loader: nowhere, renderer: "canvas", container: into, hover: true, logLevel: 0 } as never);
  await view.runAsync();
  return {
    resize: (width, height) => view.width(width).height(height).runAsync(),
    png: () => view.toImageURL("png", 2),
    svg: () => view.toSVG(),
    close: () => view.finalize(),
  };
}

function quiet(): Record<string, unknown> {
  const same = (): Record<string, unknown> => logger;
  const logger: Record<string, unknown> = { level: same, warn: same, info: same, debug: same, error: same };
  return logger;
}
