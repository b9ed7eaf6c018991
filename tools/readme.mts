/** What the READMEs of the house promise: their ts blocks and their install line. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..');

export interface Block {
  /** Path of the document, relative to the root. */
  readonly document: string;
  /** Line of the first line of code. */
  readonly line: number;
  readonly code: string;
}

export const documents = (): string[] =>
  globSync(['*.md', 'libs/*/README.md', 'libs/*/docs/*.md', 'apps/*/README.md', 'docs/**/*.md'], {
    cwd: root,
  }).sort();

/** Every fenced `ts` block of a document. */
export function tsBlocks(document: string): Block[] {
  const text = readFileSync(join(root, document), 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    document,
    line: text.slice(0, match.index).split('\n').length + 1,
    code: match[1] ?? '',
  }));
}

/** The packages that the first `npm install` line of a document names. */
export function installLine(document: string): string[] {
  const text = readFileSync(join(root, document), 'utf8');
  const line = /^npm install (.+)$/m.exec(text)?.[1] ?? '';
  return line.split(/\s+/).filter((word) => word !== '' && !word.startsWith('-'));
}
