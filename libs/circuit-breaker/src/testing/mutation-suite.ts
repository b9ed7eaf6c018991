import fc from 'fast-check';

declare const process: {
  getBuiltinModule(id: 'node:fs'): { readdirSync(directory: string): string[] };
};

/**
 * All specs as one file, for mutation testing: a mutant is met by one load of the library, not by one for each spec. Left out is
 * what takes long and finds nothing that the others do not; the naive circuit comes last, for mutants that all others let live.
 */
const leftOut = ['leaks', 'anchors', 'interleavings', 'types', 'law'].map((name) => `${name}.spec.ts`);

// That a mutant was met is enough: looking for the shortest script that meets it would take most of the time.
fc.configureGlobal({ endOnFailure: true });

const { dirname } = import.meta as unknown as { readonly dirname: string };
const specs = process
  .getBuiltinModule('node:fs')
  .readdirSync(`${dirname}/..`)
  .filter((file) => file.endsWith('.spec.ts') && !leftOut.includes(file));

for (const spec of [...specs, 'law.spec.ts']) await import(`../${spec}`);
