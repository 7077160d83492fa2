// Builds the page to ../assets: files named by their content, and a manifest that says which sources they are made of.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync, rmSync, mkdirSync, readdirSync, statSync, copyFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = join(here, "..", "assets");

function sources(folder) {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? sources(path) : [path];
    });
}

const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

// Of a package's description only the version is used; its authors' addresses stay out of the page.
const versions = {
  name: "versions",
  setup: (made) =>
    made.onLoad({ filter: /node_modules.*package\.json$/ }, ({ path }) => ({
      contents: JSON.stringify({ version: JSON.parse(readFileSync(path, "utf-8")).version }),
      loader: "json",
    })),
};

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const made = await build({
  absWorkingDir: here,
  entryPoints: { app: "src/main.ts", style: "src/style/style.css" },
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  outdir: out,
  entryNames: "[name]-[hash]",
  chunkNames: "part-[hash]",
  metafile: true,
  plugins: [versions],
});
const entries = {};
for (const [path, told] of Object.entries(made.metafile.outputs)) {
  const name = path.split("/").at(-1);
  if (told.entryPoint === "src/main.ts") entries["app.js"] = name;
  if (told.entryPoint === "src/style/style.css") entries["style.css"] = name;
}
const icon = readFileSync(join(here, "src/style/icon.svg"));
entries["icon.svg"] = `icon-${hash(icon).slice(0, 8)}.svg`;
copyFileSync(join(here, "src/style/icon.svg"), join(out, entries["icon.svg"]));
const inputs = [...sources(join(here, "src")), join(here, "package.json"), join(here, "build.mjs")];
const manifest = {
  entries,
  sources: Object.fromEntries(inputs.map((path) => [relative(here, path), hash(readFileSync(path))])),
  built: Object.fromEntries(
    readdirSync(out).sort().map((name) => [name, hash(readFileSync(join(out, name)))]),
  ),
};
writeFileSync(join(out, "manifest.json"), JSON.stringify(manifest, null, 1) + "\n");
