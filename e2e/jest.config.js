import preset from '../jest.preset.js';

/** Real processes: a mesh takes seconds to start, so the limit of one test is generous. */
export default { ...preset, testTimeout: 60_000 };
