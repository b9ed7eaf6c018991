import { readConfig, runService } from '@mesh/service-kit';
import { buildApp } from './app.ts';
import { gatewayConfig } from './config.ts';

await runService({
  service: 'api-gateway',
  config: () => readConfig(gatewayConfig, process.env),
  build: (config, context) =>
    buildApp(config, { ...context, onReload: (reload) => process.on('SIGHUP', reload) }),
  workers: ({ WORKERS }) => WORKERS,
});
