import { expect, test } from '@jest/globals';
import { Via } from './via.ts';

test.each([
  [undefined, false],
  ['', false],
  ['1.1 mesh', false],
  ['1.1 meshes, 1.0 mesh-2, HTTP/1.1 mesh', false],
  ['1.1 mesh, 1.1 mesh', true],
  ['1.0 mesh (a comment), 1.1 other,2 mesh', true],
])('Via %j is a circle: %s', (via, isLoop) => {
  expect(new Via('mesh').isLoop(via)).toBe(isLoop);
});

test.each(['', 'a b', 'a,b', 'ü', 'a\r\nb'])('the pseudonym %j is refused', (pseudonym) => {
  expect(() => new Via(pseudonym)).toThrow(RangeError);
});
