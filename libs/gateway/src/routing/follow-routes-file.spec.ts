import { afterEach, expect, test } from '@jest/globals';
import { once, EventEmitter } from 'node:events';
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { followRoutesFile, type FollowedFile } from './follow-routes-file.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'routes-'));
  cleanups.push(() => rm(path, { recursive: true }));
  return path;
}

interface Followed {
  readonly file: FollowedFile;
  readonly texts: string[];
  readonly errors: Error[];
  /** Resolves at the next call of either callback. */
  readonly next: () => Promise<unknown>;
}

function follow(path: string, onText: (text: string) => void = () => undefined): Followed {
  const calls = new EventEmitter();
  const [texts, errors]: [string[], Error[]] = [[], []];
  const file = followRoutesFile(path, {
    debounceMs: 5,
    onText: (text) => {
      texts.push(text);
      calls.emit('call');
      onText(text);
    },
    onError: (error) => {
      errors.push(error);
      calls.emit('call');
    },
  });
  cleanups.push(() => {
    file.close();
  });
  return { file, texts, errors, next: () => once(calls, 'call') };
}

test('a file is read at once, and again when it is written or replaced', async () => {
  const path = join(await folder(), 'routes.yaml');
  await writeFile(path, 'one');
  const { texts, next } = follow(path);
  await next();
  const second = next();
  await writeFile(path, 'two');
  await second;
  const third = next();
  await writeFile(`${path}.new`, 'three');
  await rename(`${path}.new`, path);
  await third;
  expect(texts[0]).toBe('one');
  expect(texts.at(-1)).toBe('three');
});

test('a link that is turned to another folder is a change, as Kubernetes makes it', async () => {
  const path = await folder();
  await writeFile(join(path, 'a'), 'one');
  await writeFile(join(path, 'b'), 'two');
  await symlink(join(path, 'a'), join(path, '..data'));
  await symlink(join(path, '..data'), join(path, 'routes.yaml'));
  const { texts, next } = follow(join(path, 'routes.yaml'));
  await next();
  const second = next();
  await symlink(join(path, 'b'), join(path, '..new'));
  await rename(join(path, '..new'), join(path, '..data'));
  await second;
  expect(texts).toEqual(['one', 'two']);
});

test('a file that is away and a text that is refused are told, and then followed on', async () => {
  const path = join(await folder(), 'routes.yaml');
  const { texts, errors, file, next } = follow(path, (text) => {
    if (text === 'bad') throw new Error('refused');
  });
  await file.reload();
  expect(errors[0]).toMatchObject({ code: 'ENOENT' });
  const appeared = next();
  await writeFile(path, 'good');
  await appeared;
  await writeFile(path, 'bad');
  await file.reload();
  await writeFile(path, 'better');
  await file.reload();
  expect(texts.slice(-3)).toEqual(['good', 'bad', 'better']);
  expect(errors.at(-1)).toMatchObject({ message: 'refused' });
});

test('what is known already is no news', async () => {
  const path = join(await folder(), 'routes.yaml');
  await writeFile(path, 'one');
  const texts: string[] = [];
  const options = { onText: (text: string) => texts.push(text), onError: () => undefined, known: 'one' };
  const file = followRoutesFile(path, options);
  cleanups.push(() => {
    file.close();
  });
  await file.reload();
  expect(texts).toEqual([]);
});

test('the same text again is no news', async () => {
  const path = join(await folder(), 'routes.yaml');
  await writeFile(path, 'one');
  const { texts, file } = follow(path);
  await Promise.all([file.reload(), file.reload()]);
  expect(texts).toEqual(['one']);
});

test('a file that was closed is not followed, and leaves no watcher', async () => {
  const path = join(await folder(), 'routes.yaml');
  await writeFile(path, 'one');
  const watchers = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === 'FSEventWrap').length;
  const before = watchers();
  const { texts, errors, file } = follow(path);
  const reading = file.reload();
  file.close();
  await reading;
  await writeFile(path, 'two');
  await file.reload();
  expect([texts, errors]).toEqual([[], []]);
  expect(watchers()).toBe(before);
});

test('a folder that is not there, and a time that makes no sense, are refused at once', async () => {
  const options = { onText: () => undefined, onError: () => undefined };
  expect(() => followRoutesFile(join(tmpdir(), 'nowhere', 'at', 'all'), options)).toThrow('ENOENT');
  expect(() => followRoutesFile('x', { ...options, debounceMs: -1 })).toThrow(RangeError);
  await Promise.resolve();
});
