import { createRequire } from 'node:module';

/** Loads a package from `peers/`, which the repository's own lock does not know. */
export const peer = createRequire(new URL('../peers/package.json', import.meta.url));
