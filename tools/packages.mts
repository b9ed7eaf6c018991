/** The publishable packages of the house, and their tarballs. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './readme.mts';

export interface Package {
  readonly name: string;
  readonly folder: string;
  readonly readme: string;
  readonly dependencies: readonly string[];
}

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export function packages(): Package[] {
  return readdirSync(join(root, 'libs')).map((lib) => {
    const folder = join(root, 'libs', lib);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    return {
      name: manifest.name,
      folder,
      readme: `libs/${lib}/README.md`,
      dependencies: Object.keys(manifest.dependencies ?? {}),
    };
  });
}

/** Packs all of them into `folder` and answers with name -> tarball. */
export function pack(folder: string): Map<string, string> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return new Map(
    packages().map((one) => {
      const args = ['pack', '--json', '--pack-destination', folder];
      const output = execFileSync('npm', args, {
        cwd: one.folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      return [one.name, join(folder, tarballName(output))];
    }),
  );
}

/** npm 11 answers with a list, later majors with an object by package name. */
function tarballName(output: string): string {
  const answer = JSON.parse(output) as Record<string, { filename: string }>;
  return Object.values(answer)[0]?.filename ?? '';
}

/** A package and everything of ours that it needs, transitively. */
export function closure(names: readonly string[]): Set<string> {
  const known = new Map(packages().map((one) => [one.name, one]));
  const found = new Set<string>();
  const visit = (name: string): void => {
    const one = known.get(name);
    if (!one || found.has(name)) return;
    found.add(name);
    one.dependencies.forEach(visit);
  };
  names.forEach(visit);
  return found;
}
