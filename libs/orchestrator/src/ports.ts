import { createServer, type Server } from 'node:net';

const loopbacks = ['127.0.0.1', '::1'] as const;

/**
 * Whether nobody listens on a port of this machine. Both loopback addresses count: a server on `[::1]:3000`
 * would be the one that answers `http://localhost:3000`.
 */
export async function isPortFree(port: number): Promise<boolean> {
  const answers = await Promise.all(loopbacks.map((host) => canListen(port, host)));
  return answers.every(Boolean);
}

/** Different ports that the system says are free now. */
export async function freePorts(count: number): Promise<number[]> {
  // All stay open until the last is known, or the system could give the same one twice.
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0, '127.0.0.1')));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map(close));
  return ports;
}

/** The first free port after `port` that is not in `taken`; at most 200 are tried, then the system chooses. */
export async function nextFreePort(port: number, taken: ReadonlySet<number>): Promise<number> {
  const last = Math.min(port + 200, 65_535);
  for (let candidate = port + 1; candidate <= last; candidate++) {
    if (!taken.has(candidate) && (await isPortFree(candidate))) return candidate;
  }
  for (let attempt = 0; attempt < 20; attempt++) {
    const [candidate] = await freePorts(1);
    if (candidate !== undefined && !taken.has(candidate)) return candidate;
  }
  throw new Error(`no free port was found after ${port}`);
}

async function canListen(port: number, host: string): Promise<boolean> {
  try {
    await close(await listen(port, host));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Anything else (no IPv6 here, say) is not somebody in the way.
    return code !== 'EADDRINUSE' && code !== 'EACCES';
  }
}

function listen(port: number, host: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => {
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
