/** The one Jest configuration of the house: ES modules, workspace sources, no build. */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/src/**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { decoratorVersion: '2022-03' },
        },
        module: { type: 'es6' },
      },
    ],
  },
  testEnvironmentOptions: { customExportConditions: ['@mesh/source', 'node'] },
  collectCoverageFrom: ['src/**/*.ts', '!src/index.ts'],
  coverageDirectory: '<rootDir>/coverage',
};
