/**
 * `npm run bench -- <suite>` runs libs/<lib>/bench/<suite>.bench.ts (or an app's, or e2e/bench); without a suite it lists them. What begins with `--` is
 * the suite's own, as `--quick`.
 */
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = join(import.meta.dirname, '..');
const suites = new Map(
  globSync(['{libs,apps}/*/bench/*.bench.ts', 'e2e/bench/*.bench.ts'], { cwd: root }).map((file) => [
    basename(file, '.bench.ts'),
    file,
  ]),
);

const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
if (wanted.length === 0 || wanted.some((suite) => !suites.has(suite))) {
  console.error(
    `usage: npm run bench -- <suite> [...] [--options of the suite]\nsuites: ${[...suites.keys()].sort().join(', ')}`,
  );
  process.exitCode = wanted.length === 0 ? 0 : 2;
} else {
  for (const suite of wanted) await import(pathToFileURL(join(root, suites.get(suite) ?? '')).href);
}
