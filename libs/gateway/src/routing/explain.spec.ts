import { expect, test } from '@jest/globals';
import { withoutSecrets } from './explain.ts';

test('what sounds secret is hidden at any depth, the rest is as it was', () => {
  const shown = withoutSecrets({
    realm: 'shop',
    secret: 'hunter2',
    apiKeys: { ops: 'hunter2' },
    nested: [{ token: 'hunter2', limit: 3, by: ['jwt', 'api-key'] }],
    set: { Authorization: 'hunter2', 'x-api-key': 'hunter2', 'set-cookie': ['hunter2'], 'x-region': 'eu' },
    nothing: null,
  });
  expect(shown).toEqual({
    realm: 'shop',
    secret: '[hidden]',
    apiKeys: '[hidden]',
    nested: [{ token: '[hidden]', limit: 3, by: ['jwt', 'api-key'] }],
    set: { Authorization: '[hidden]', 'x-api-key': '[hidden]', 'set-cookie': '[hidden]', 'x-region': 'eu' },
    nothing: null,
  });
});
