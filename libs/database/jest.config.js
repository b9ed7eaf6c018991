import preset from '../../jest.preset.js';

export default {
  ...preset,
  // Without 'import': Jest adds it where something is imported. Here it would also rule what pg requires, which then breaks.
  testEnvironmentOptions: { customExportConditions: ['@mesh/source', 'node'] },
};
