/** Type-checks every ts block of every document against the sources, and names the document's own lines. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { documents, root, tsBlocks, type Block } from './readme.mts';

const folder = join(root, '.mesh/docs');

function writeBlocks(blocks: readonly Block[]): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const compilerOptions = {
    types: ['node'],
    noUnusedLocals: false,
    lib: ['es2024', 'esnext.disposable', 'dom'],
  };
  const tsconfig = { extends: '../../tsconfig.base.json', compilerOptions, include: ['*.mts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
  for (const [index, { code }] of blocks.entries())
    writeFileSync(join(folder, `${index}.mts`), `${code}\nexport {};\n`);
}

function inDocument(blocks: readonly Block[], message: string): string {
  return message.replace(
    /^.*?(\d+)\.mts\((\d+),(\d+)\)/gm,
    (whole, index: string, line: string, column: string) => {
      const block = blocks[Number(index)];
      return block ? `${block.document}:${block.line + Number(line) - 1}:${column}` : whole;
    },
  );
}

const blocks = documents().flatMap(tsBlocks);
writeBlocks(blocks);
const { status, stdout } = spawnSync('tsc', ['-p', folder], { cwd: root, encoding: 'utf8' });
if (status !== 0) console.error(inDocument(blocks, stdout));
console.log(
  `${blocks.length} blocks of ${documents().length} documents checked, ${status === 0 ? 'all' : 'NOT all'} compile`,
);
process.exitCode = status === 0 ? 0 : 1;
