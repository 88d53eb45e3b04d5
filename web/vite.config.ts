import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// One script and one style sheet: `scripts/bundle.mjs` puts both into a single page.
export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    cssCodeSplit: false,
    assetsInlineLimit: 1_000_000,
    modulePreload: false,
    rolldownOptions: {
      output: { entryFileNames: "viewer.js", assetFileNames: "viewer[extname]", codeSplitting: false },
    },
  },
});
