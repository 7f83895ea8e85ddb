// Brings in a version of the API reference page: `node update.mjs VERSION` in this folder. README.md says what to check after.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";

const NAME = "@scalar/api-reference";
const here = dirname(fileURLToPath(import.meta.url));
const version = process.argv[2];
if (!version) throw new Error("say which version: node update.mjs 1.46.4");

const work = mkdtempSync(join(tmpdir(), "reference-"));
try {
  writeFileSync(join(work, "package.json"), "{}");
  install(`${NAME}@${version}`);
  const modules = join(work, "node_modules");
  const browser = join(modules, NAME, "dist", "browser");
  writeFileSync(join(here, "reference.js.gz"), compress(withoutEval(readFileSync(join(browser, "standalone.js"), "utf8"))));
  writeFileSync(join(here, "LICENSE"), readFileSync(join(modules, "@scalar/types/LICENSE")));
  writeFileSync(join(here, "THIRD-PARTY.txt"), notices(modules, readFileSync(join(browser, "webpack-stats.json"), "utf8")));
} finally {
  rmSync(work, { recursive: true });
}

// Zod asks once whether it may compile code, and goes on without when it may not. The question alone breaks the page's
// Content-Security-Policy and is reported by the browser, so it is answered here.
function withoutEval(script) {
  const asked = script.split('return new Function(""),!0');
  if (asked.length !== 2) throw new Error(`expected one question about eval, found ${asked.length - 1}: look again`);
  return asked.join("return!1");
}

function install(...packages) {
  execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...packages], { cwd: work, stdio: "inherit" });
}

function compress(script) {
  const zipped = gzipSync(script, { level: constants.Z_BEST_COMPRESSION, memLevel: 9 });
  zipped[9] = 255; // the operating system, left unknown: the same bytes on every machine
  return zipped;
}

// Each licence text once, under the packages that the script was bundled from.
function notices(modules, stats) {
  const bundled = new Map(JSON.parse(stats).modules
    .map((module) => module.name.match(/\.pnpm\/.*node_modules\/((?:@[^/]+\/)?[^/]+)\//) && module.name)
    .filter(Boolean)
    .map((path) => [path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)\//)[1], path.match(/\.pnpm\/(?:@[^/+]+\+)?[^/@]+@([^/_(]+)/)[1]]));
  const absent = [...bundled].filter(([name]) => !existsSync(join(modules, name)));
  if (absent.length) install(...absent.map(([name, version]) => `${name}@${version}`));
  const texts = new Map();
  for (const [name, version] of [...bundled].sort()) {
    const { license, copyright, text } = licence(join(modules, name));
    const entry = `${name} ${version} (${license})${copyright.map((line) => `\n    ${line}`).join("")}`;
    texts.set(text, [...(texts.get(text) ?? []), entry]);
  }
  const rule = "=".repeat(100);
  return [...texts].map(([text, packages]) => `${rule}\n${packages.join("\n")}\n\n${text}\n`).join("\n");
}

function licence(folder) {
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  const author = about.author?.name ?? about.author ?? "its authors";
  if (!file) return { license: about.license, copyright: [`Copyright ${author}`], text: `(${about.license}; the package ships no text)` };
  const lines = readFileSync(join(folder, file), "utf8").split(/\r?\n/).map((line) => line.trim());
  const isNotice = (line) => /^(\(c\)|copyright)\s.*(\d{4}|\(c\))/i.test(line);
  const paragraphs = lines.filter((line) => !isNotice(line)).join("\n").replace(/^[\s(]*(the )?mit license[\s)]*/i, "MIT License\n\n")
    .split(/\n{2,}/).map((paragraph) => paragraph.replace(/\s+/g, " ").trim()).filter(Boolean);
  return { license: about.license, copyright: lines.filter(isNotice), text: paragraphs.join("\n\n") };
}
