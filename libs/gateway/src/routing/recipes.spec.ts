import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { readRoutes } from './read-routes.ts';

const docs = ['../../README.md', '../../docs/routes.md', '../../docs/authentication.md'].map((path) =>
  readFileSync(new URL(path, import.meta.url), 'utf8'),
);
const blocks = [...docs.join('\n').matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);

test('the documentation has its recipes', () => {
  expect(blocks.length).toBeGreaterThanOrEqual(7);
});

test.each(blocks)('a recipe is read as it stands: %s', (text) => {
  const routes = readRoutes(text);
  expect(routes.length).toBeGreaterThan(0);
  // What was read can be given again: an update is taken back with it.
  expect(readRoutes({ routes: [...routes] })).toEqual(routes);
});
