/** publint (strict) and are-the-types-wrong on the packed tarballs. Build first. */
import { checkPackage, createPackageFromTarballData, type Problem } from '@arethetypeswrong/core';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { pack } from './packages.mts';
import { root } from './readme.mts';

/** ESM only, on purpose: require() loads it from Node 22.12 on. Resolvers that know no `exports` (node10) are not served. */
const isIntended = (problem: Problem): boolean =>
  problem.kind === 'CJSResolvesToESM' ||
  (problem.kind === 'NoResolution' && problem.resolutionKind === 'node10');

async function faults(tarball: string): Promise<string[]> {
  const data = readFileSync(tarball);
  const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball: bytes }, strict: true });
  const types = await checkPackage(createPackageFromTarballData(new Uint8Array(bytes)));
  return [
    ...messages.map((message) => formatMessage(message, pkg) ?? message.code),
    ...(types.types ? types.problems.filter((problem) => !isIntended(problem)) : ['no types']).map((one) =>
      JSON.stringify(one),
    ),
  ];
}

let failed = 0;
for (const [name, tarball] of pack(join(root, '.mesh/packages'))) {
  const found = await faults(tarball);
  console.log(`${found.length === 0 ? 'ok  ' : 'FAIL'} ${name}`);
  for (const fault of found) console.log(`     ${fault}`);
  failed += found.length === 0 ? 0 : 1;
}
process.exitCode = failed === 0 ? 0 : 1;
