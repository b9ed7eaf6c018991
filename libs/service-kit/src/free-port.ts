import { createServer } from 'node:net';

/**
 * A port that is free at this moment. The identity of an instance holds its port, and everything is built with that
 * identity before it listens, so a port of 0 is settled beforehand.
 */
export function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port: 0, host }, () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new Error(`no port of ${host} is known`));
      });
    });
  });
}
