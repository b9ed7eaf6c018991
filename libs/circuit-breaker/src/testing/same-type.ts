import { expect } from '@jest/globals';

/** Whether each type is assignable to the other, and none of them is any. */
export type Same<A, B> = 0 extends 1 & (A | B)
  ? false
  : [A] extends [B]
    ? [B] extends [A]
      ? true
      : false
    : false;

/** Compiles only when both types are the same. */
export const sameType = <A, B>(same: Same<A, B>): void => {
  expect(same).toBe(true);
};
