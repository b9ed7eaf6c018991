import { readConfig, runService } from '@mesh/service-kit';
import { buildApp } from './app.ts';
import { discoveryConfig } from './config.ts';

await runService({
  service: 'discovery',
  register: false,
  config: () => readConfig(discoveryConfig, process.env),
  build: buildApp,
});
