import { defineConfig } from "vite";

export default defineConfig({
  // The page may be mounted anywhere: its links are relative to it. It is at `graphql`, so its files are below that.
  base: "./",
  build: {
    assetsDir: "graphql/playground",
    chunkSizeWarningLimit: 8000,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  worker: { format: "es" },
});
