import { defineConfig } from "vite";

export default defineConfig({
  // The page may be mounted anywhere: its links are relative to it. It is at `graphql`, so its files are below that.
  base: "./",
  build: {
    assetsDir: "graphql/playground",
    chunkSizeWarningLimit: 8000,
    // Packages of Clew carry these libraries, so their licenses come along.
    license: { fileName: "graphql/playground/licenses.md" },
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  worker: { format: "es" },
});
