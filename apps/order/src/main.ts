import { readConfig, runService } from '@mesh/service-kit';
import { buildApp } from './app.ts';
import { orderConfig } from './config.ts';

await runService({
  service: 'order-service',
  config: () => readConfig(orderConfig, process.env),
  build: buildApp,
});
