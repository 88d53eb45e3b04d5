// Puts the built script and styles into one page, under a policy that runs this very script and nothing else.
// The page's data goes where `{{RUN}}` stands; `pipelex.tooling.viewer` writes it there.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const built = "dist";
const files = readdirSync(built);
const read = (ending) => readFileSync(join(built, files.find((name) => name.endsWith(ending))), "utf8");
const script = read(".js").trim().replaceAll("</script", "<\\/script").replaceAll("<!--", "\\x3c!--");
const style = read(".css").trim();
const hash = createHash("sha256").update(script).digest("base64");
const policy = [
  "default-src 'none'",
  `script-src 'sha256-${hash}'`,
  "style-src 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{TITLE}}</title>
<style>${style}</style>
</head>
<body>
<noscript>This page needs scripts of its own to show the run.</noscript>
<div id="app"></div>
<script type="application/json" id="run">{{RUN}}</script>
<script type="module">${script}</script>
</body>
</html>
`;
const target = "../src/pipelex/tooling/viewer";
mkdirSync(target, { recursive: true });
writeFileSync(join(target, "viewer.html"), page);
console.log(`viewer.html: ${page.length} bytes`);
