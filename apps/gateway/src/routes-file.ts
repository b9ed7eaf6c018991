import { followRoutesFile, type Gateway } from '@mesh/gateway';
import type { FastifyInstance } from 'fastify';
import { readFile } from 'node:fs/promises';

/** A file of routes that was read. */
export interface RoutesFile {
  readonly file: string;
  readonly routes: string;
}

/** Reads the file of routes; undefined when none is named. @throws Error when it cannot be read: a gateway without its routes must not start. */
export async function readRoutesFile(file: string | undefined): Promise<RoutesFile | undefined> {
  return file === undefined ? undefined : { file, routes: await readFile(file, 'utf8') };
}

/** Changes the routes whenever the file does, until the app closes. A file with faults changes nothing, and is told in the log. */
export function followRoutes(
  app: FastifyInstance,
  gateway: Gateway,
  { file, routes }: RoutesFile,
  onReload: (reload: () => void) => void = () => undefined,
): void {
  const followed = followRoutesFile(file, {
    known: routes,
    onText: (text) => {
      const { added, removed, changed } = gateway.update(text, { file });
      app.log.info({ file, added, removed, changed }, 'routes changed');
    },
    onError: (error) => {
      app.log.error({ file, reason: error.message }, 'routes stay as they are');
    },
  });
  onReload(() => void followed.reload());
  app.addHook('onClose', (_app, done) => {
    followed.close();
    done();
  });
}
