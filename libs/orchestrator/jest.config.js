import preset from '../../jest.preset.js';

// Real processes on a machine that may be busy: waiting longer costs nothing when all is well.
export default { ...preset, testTimeout: 60_000 };
