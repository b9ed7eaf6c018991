import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What one request came to. */
export interface Outcome {
  readonly path: string;
  /** The status, or the code of the error. */
  readonly result: number | string;
  /** Whether it went on a connection that had been used. */
  readonly reused: boolean;
}

/** How a load goes. */
export interface LoadOptions {
  /** Time between an answer and the next request, in ms. Default 0. */
  readonly pauseMs?: number;
  /** Ends it, beside a refused connection. */
  readonly signal?: AbortSignal;
}

/**
 * Clients that ask again as soon as they have been answered, each on a connection that it keeps, and try nothing twice. A client ends
 * when its connection is refused.
 *
 * @returns what all requests came to, when the last client has ended.
 */
export async function steadyLoad(
  port: number,
  paths: readonly string[],
  options: LoadOptions = {},
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  await Promise.all(paths.map((path) => oneClient(port, path, options, outcomes)));
  return outcomes;
}

async function oneClient(
  port: number,
  path: string,
  { pauseMs = 0, signal }: LoadOptions,
  outcomes: Outcome[],
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    while (signal?.aborted !== true) {
      const outcome = await ask(agent, port, path);
      outcomes.push(outcome);
      if (outcome.result === 'ECONNREFUSED') return;
      if (pauseMs > 0) await sleep(pauseMs);
    }
  } finally {
    agent.destroy();
  }
}

function ask(agent: Agent, port: number, path: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const request = get({ agent, host: '127.0.0.1', port, path }, (response) => {
      const { statusCode: result = 0 } = response;
      response
        .on('end', () => {
          resolve({ path, result, reused: request.reusedSocket });
        })
        .on('error', failed)
        .resume();
    });
    const failed = ({ code = 'unknown' }: NodeJS.ErrnoException): void => {
      resolve({ path, result: code, reused: request.reusedSocket });
    };
    request.on('error', failed);
  });
}
