/**
 * Creates a library of the house: `npm run new-lib -- <name> --layer core|flow|adapter`.
 * The layer decides what it may import (eslint.config.mjs) and which globals its types know.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';

const layers = {
  core: { env: 'any', compilerOptions: { types: [] } },
  flow: {
    env: 'any',
    compilerOptions: { lib: ['es2024', 'esnext.disposable', 'dom', 'dom.asynciterable'], types: [] },
  },
  adapter: { env: 'node', compilerOptions: { types: ['node'] } },
} as const;

/** A junk drawer has no noun. */
const forbidden = /^(shared|common|utils?|core|types|helpers?)$/;

const usage =
  'usage: npm run new-lib -- <kebab-case-name> --layer core|flow|adapter [--about "one sentence"]';

function libFiles(name: string, layer: keyof typeof layers, about: string): Record<string, string> {
  const { env, compilerOptions } = layers[layer];
  const factory = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const json = (value: unknown) => JSON.stringify(value);
  return {
    'package.json': json({
      name: `@mesh/${name}`,
      version: '0.1.0',
      description: about,
      license: 'MIT',
      type: 'module',
      sideEffects: false,
      engines: { node: '>=22.19' },
      exports: {
        '.': { '@mesh/source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' },
        './package.json': './package.json',
      },
      files: ['dist', 'src', '!src/**/*.spec.ts', '!src/testing'],
      publishConfig: { access: 'public' },
      nx: {
        name,
        tags: [`layer:${layer}`, `env:${env}`, `lib:${name}`],
        targets: { build: {}, test: {}, lint: {}, typecheck: {} },
      },
    }),
    'tsconfig.json': json({ extends: '../../tsconfig.base.json', compilerOptions, include: ['src'] }),
    'tsconfig.build.json': json({
      extends: ['./tsconfig.json', '../../tsconfig.build.json'],
      compilerOptions: { rootDir: 'src', outDir: 'dist' },
      exclude: ['src/**/*.spec.ts', 'src/testing'],
    }),
    'jest.config.js': `import preset from '../../jest.preset.js';\n\nexport default preset;\n`,
    'README.md':
      `# @mesh/${name}\n\n${about}\n\n\`\`\`sh\nnpm install @mesh/${name}\n\`\`\`\n\n` +
      `\`\`\`ts\nimport { ${factory} } from '@mesh/${name}';\n\nconsole.log(${factory}());\n\`\`\`\n\n` +
      `Options, how it composes, what it costs (measured), what it does not do: to be written.\n`,
    'src/index.ts': `export { ${factory} } from './${name}.ts';\n`,
    [`src/${name}.ts`]: `/** ${about} */\nexport function ${factory}(): string {\n  return '${name}';\n}\n`,
    [`src/${name}.spec.ts`]:
      `import { expect, test } from '@jest/globals';\nimport { ${factory} } from './${name}.ts';\n\n` +
      `test('${name} answers', () => {\n  expect(${factory}()).toBe('${name}');\n});\n`,
  };
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { layer: { type: 'string' }, about: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  const [name] = positionals;
  const layer = values.layer as keyof typeof layers | undefined;
  if (values.help) {
    console.log(usage);
    return;
  }
  if (
    !name ||
    !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) ||
    forbidden.test(name) ||
    layer === undefined ||
    !Object.hasOwn(layers, layer)
  ) {
    console.error(usage);
    process.exitCode = 2;
    return;
  }
  const folder = join(import.meta.dirname, '..', 'libs', name);
  if (existsSync(folder)) {
    console.error(`libs/${name} exists already`);
    process.exitCode = 1;
    return;
  }
  for (const [file, text] of Object.entries(libFiles(name, layer, values.about ?? `The ${name} of Mesh.`))) {
    const path = join(folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, await format(text, { ...(await resolveConfig(path)), filepath: path }));
  }
  console.log(`libs/${name} is ready: run "npm install" once to link it, then "npx nx test ${name}".`);
}

await main();
