import { readConfig, runService } from '@mesh/service-kit';
import { buildApp } from './app.ts';
import { userConfig } from './config.ts';

await runService({
  service: 'user-service',
  config: () => readConfig(userConfig, process.env),
  build: buildApp,
});
