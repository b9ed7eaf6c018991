import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { openDatabase } from './database.ts';
import type { Notes } from './testing/notes.ts';

const folder = mkdtempSync(join(tmpdir(), 'mesh-processes-'));
// Real processes: on a busy machine they take their time.
jest.setTimeout(30_000);

const script = fileURLToPath(new URL('testing/writer.ts', import.meta.url));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Another process that writes to the same file. */
class Writer {
  readonly #child;
  readonly ended: Promise<unknown>;
  output = '';
  errors = '';

  constructor(file: string, name: string, rows: number) {
    this.#child = spawn(
      process.execPath,
      [
        '--conditions=@mesh/source',
        '--disable-warning=ExperimentalWarning',
        script,
        `sqlite:${file}`,
        name,
        String(rows),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child.stdout.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.#child.stderr.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    this.ended = once(this.#child, 'close');
  }

  /** Titles of the rows whose transaction was committed. */
  get acknowledged(): string[] {
    // The last line may be cut in the middle by a kill.
    return this.output
      .split('\n')
      .slice(0, -1)
      .filter((line) => line !== 'open');
  }

  get code(): number | null {
    return this.#child.exitCode;
  }

  async hasWritten(rows: number): Promise<void> {
    while (this.acknowledged.length < rows && this.code === null) {
      await Promise.race([once(this.#child.stdout, 'data'), this.ended]);
    }
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

async function titlesIn(file: string): Promise<string[]> {
  const database = await openDatabase<Notes>({ url: `sqlite:${file}` });
  try {
    const sound = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(database.db);
    expect(sound.rows).toEqual([{ integrity_check: 'ok' }]);
    const rows = await database.db.selectFrom('note').select('title').execute();
    return rows.map(({ title }) => title).sort();
  } finally {
    await database.close();
  }
}

const seeded = ['one', 'two', 'three'];

describe('several processes on one file', () => {
  test('six that start at once migrate once, and then all of them write without losing a row', async () => {
    const file = join(folder, 'shared', 'notes.db');
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const writers = names.map((name) => new Writer(file, name, 25));
    await Promise.all(writers.map((writer) => writer.ended));
    expect(writers.map(({ code, errors }) => ({ code, errors }))).toEqual(
      names.map(() => ({ code: 0, errors: '' })),
    );
    const written = names.flatMap((name) => Array.from({ length: 25 }, (_, row) => `${name}-${row}`));
    expect(await titlesIn(file)).toEqual([...written, ...seeded].sort());
  });

  test('kill -9 of a writer loses no row that was acknowledged', async () => {
    const file = join(folder, 'killed', 'notes.db');
    const acknowledged: string[] = [];
    for (const round of [1, 2, 3]) {
      const writers = ['a', 'b'].map((name) => new Writer(file, `${name}${round}`, 100_000));
      await Promise.all(writers.map((writer) => writer.hasWritten(5 * round)));
      await Promise.all(writers.map((writer) => writer.kill()));
      expect(writers.map(({ errors }) => errors)).toEqual(['', '']);
      acknowledged.push(...writers.flatMap((writer) => writer.acknowledged));
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(60);
    expect(await titlesIn(file)).toEqual(expect.arrayContaining(acknowledged));
  });
});
