/**
 * Does what a newcomer does with each package: an empty project, the README's install line (our names replaced
 * by the packed tarballs), import and require, and the README's first example - on every Node that we support.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closure, pack, packages, type Package } from './packages.mts';
import { installLine, root, tsBlocks } from './readme.mts';

const majors = [22, 24];
const limitMs = 60_000;

const npm = (cwd: string, ...args: string[]): void => {
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...args], {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
};

function installNode(major: number): string {
  const folder = join(root, '.mesh/nodes', `${major}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, allowScripts: { node: true } }),
  );
  npm(folder, `node@${major}`);
  return join(folder, 'node_modules/node/bin/node');
}

function newProject(one: Package, tarballs: ReadonlyMap<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-try-'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true }));
  const named = installLine(one.readme);
  const ours = [...closure(named)].map((name) => tarballs.get(name) ?? name);
  npm(folder, ...ours, ...named.filter((name) => !tarballs.has(name)));
  writeFileSync(
    join(folder, 'esm.mjs'),
    `const m = await import('${one.name}'); if (!Object.keys(m).length) throw new Error('empty');`,
  );
  writeFileSync(
    join(folder, 'cjs.cjs'),
    `if (!Object.keys(require('${one.name}')).length) throw new Error('empty');`,
  );
  writeFileSync(
    join(folder, 'example.mts'),
    tsBlocks(one.readme)[0]?.code ?? 'throw new Error("the README has no example")',
  );
  return folder;
}

function run(node: string, folder: string, file: string): string | undefined {
  const { status, stdout, stderr, signal } = spawnSync(node, [file], {
    cwd: folder,
    encoding: 'utf8',
    timeout: limitMs,
  });
  if (status === 0 && (file !== 'example.mts' || stdout.trim() !== '')) return undefined;
  return `${file}: ${signal ?? `exit ${status}`} ${stdout}${stderr}`;
}

const nodes = new Map(majors.map((major) => [major, installNode(major)]));
const tarballs = pack(join(root, '.mesh/packages'));
let passed = 0;
let failed = 0;
for (const one of packages()) {
  const folder = newProject(one, tarballs);
  for (const [major, node] of nodes) {
    const faults = ['esm.mjs', 'cjs.cjs', 'example.mts']
      .map((file) => run(node, folder, file))
      .filter((fault) => fault !== undefined);
    console.log(`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${one.name} on Node ${major}`);
    for (const fault of faults) console.log(`     ${fault}`);
    passed += faults.length === 0 ? 1 : 0;
    failed += faults.length === 0 ? 0 : 1;
  }
  rmSync(folder, { recursive: true, force: true });
}
console.log(`packages: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
