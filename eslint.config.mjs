import nx from '@nx/eslint-plugin';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import tseslint from 'typescript-eslint';

const root = import.meta.dirname;
const layers = ['core', 'flow', 'adapter'];

/** The only two arrows that may run inside a layer (DESIGN, docs/decisions/0001). */
const withinLayer = { resilience: ['circuit-breaker'], gateway: ['service-client'] };

/** Arrows only go down: a lib may import the layers below its own, and its named exceptions. */
function libConstraint(name) {
  const manifest = JSON.parse(readFileSync(join(root, 'libs', name, 'package.json'), 'utf8'));
  const layer = manifest.nx.tags.find((tag) => tag.startsWith('layer:')).slice('layer:'.length);
  const below = layers.slice(0, layers.indexOf(layer)).map((lower) => `layer:${lower}`);
  const exceptions = (withinLayer[name] ?? []).map((lib) => `lib:${lib}`);
  return {
    sourceTag: `lib:${name}`,
    onlyDependOnLibsWithTags: [...below, ...exceptions],
    ...(layer === 'core' && { allowedExternalImports: ['@jest/globals', 'fast-check'] }),
  };
}

const libs = readdirSync(join(root, 'libs'));

export default tseslint.config(
  { ignores: ['**/dist/**', '**/coverage/**', '**/node_modules/**', '.nx/**'] },
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ['**/*.ts', '**/*.mts'] })),
  {
    files: ['**/*.ts', '**/*.mts'],
    plugins: { '@nx': nx },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          banTransitiveDependencies: true,
          allowCircularSelfDependency: true,
          depConstraints: [
            ...libs.map(libConstraint),
            { sourceTag: 'layer:app', onlyDependOnLibsWithTags: layers.map((layer) => `layer:${layer}`) },
            { sourceTag: 'env:any', onlyDependOnLibsWithTags: ['env:any'] },
            { sourceTag: 'env:browser', onlyDependOnLibsWithTags: ['env:any', 'env:browser'] },
          ],
        },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'max-lines': ['error', 400],
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only src/main.ts of an app reads the environment.' },
        {
          object: 'process',
          property: 'exit',
          message: 'Set process.exitCode in main.ts; libraries never exit.',
        },
      ],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true } }],
    },
  },
  {
    files: ['**/*.spec.ts'],
    rules: {
      'max-lines': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['apps/*/src/main.ts', 'tools/**', '{libs,apps}/*/bench/**', 'mesh.config.ts', 'e2e/**'],
    rules: { 'no-restricted-properties': 'off', 'no-console': 'off', 'no-restricted-exports': 'off' },
  },
  // The end-to-end suite reads answers as a stranger's script would: any JSON, asserted field by field.
  {
    files: ['e2e/**'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  // Benchmarks are tools that live beside what they measure: they use tools/contest.mts and the peers.
  { files: ['{libs,apps}/*/bench/**'], rules: { '@nx/enforce-module-boundaries': 'off' } },
);
