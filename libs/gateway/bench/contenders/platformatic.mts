import { contend } from './contend.mts';
import { peer } from './peer.mts';

interface Capability {
  init(): Promise<void>;
  start(options: object): Promise<unknown>;
  getUrl(): string;
}

interface Platformatic {
  readonly create: (root: string, config: object, context: object) => Promise<Capability>;
}

/** Outside its own runtime it knows one origin for an application. */
await contend(async ([origin]) => {
  const { create } = (await import(peer.resolve('@platformatic/gateway'))) as Platformatic;
  const applications = [{ id: 'items', origin, proxy: { prefix: '/' } }];
  const config = {
    server: { hostname: '127.0.0.1', port: 0, logger: { level: 'error' } },
    gateway: { applications, refreshTimeout: 0 },
  };
  const gateway = await create(import.meta.dirname, config, {});
  await gateway.init();
  await gateway.start({ listen: true });
  return { port: Number(new URL(gateway.getUrl()).port) };
});
