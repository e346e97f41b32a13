/**
 * How web/dist is made: unhashed names, so that a release can be compared with another file by file; the paths of the app's views, by which a
 * member answers a reload; and the manifest, as sha256sum reads it (spec/portal.md). The same sources give the same bytes.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { views } from "./src/app/views.ts";

const out = join(import.meta.dirname, "dist");

const names = {
  entryFileNames: "assets/[name].js",
  chunkFileNames: "assets/[name].js",
  assetFileNames: "assets/[name][extname]",
};

function manifest(): Plugin {
  return {
    name: "manifest",
    apply: "build",
    closeBundle() {
      writeFileSync(join(out, "views"), `${views.join("\n")}\n`);
      const files = readdirSync(out, { recursive: true, withFileTypes: true })
        .filter((f) => f.isFile() && f.name !== "manifest")
        .map((f) => relative(out, join(f.parentPath, f.name)))
        .sort();
      const line = (f: string) =>
        `${createHash("sha256")
          .update(readFileSync(join(out, f)))
          .digest("hex")}  ${f}\n`;
      writeFileSync(join(out, "manifest"), files.map(line).join(""));
    },
  };
}

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    outDir: out,
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: { output: names },
  },
  worker: { format: "es", rolldownOptions: { output: { ...names, chunkFileNames: "assets/vault-[name].js" } } },
  plugins: [manifest()],
});
