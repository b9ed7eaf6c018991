/** Shows that the fence holds: each forbidden import below must be a lint error. */
import { ESLint } from 'eslint';
import { join } from 'node:path';
import { root } from './readme.mts';

const forbidden = [
  { file: 'libs/service-kit/src/app.ts', text: "import '@mesh/gateway';", why: 'adapter -> adapter' },
  { file: 'libs/load-balancer/src/index.ts', text: "import '@mesh/circuit-breaker';", why: 'core -> core' },
  {
    file: 'libs/circuit-breaker/src/index.ts',
    text: "import '@mesh/discovery-client';",
    why: 'core -> flow',
  },
  {
    file: 'libs/discovery-client/src/index.ts',
    text: "import '@mesh/service-client';",
    why: 'flow -> adapter',
  },
  { file: 'libs/problem/src/index.ts', text: "import 'undici';", why: 'core -> package' },
  { file: 'libs/gateway/src/index.ts', text: "import '@mesh/user-app';", why: 'library -> app' },
];

const rule = '@nx/enforce-module-boundaries';
const eslint = new ESLint({ cwd: root });
let failed = 0;
for (const { file, text, why } of forbidden) {
  const [result] = await eslint.lintText(`${text}\nexport {};\n`, { filePath: join(root, file) });
  const caught = result?.messages.some(({ ruleId }) => ruleId === rule) ?? false;
  console.log(`${caught ? 'ok   refused' : 'FAIL allowed'} ${why}: ${text} in ${file}`);
  if (!caught) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
