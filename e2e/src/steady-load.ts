import type { FrontAnswer } from './front-client.ts';

/** What became of the requests of one load. */
export interface LoadReport {
  readonly sent: number;
  readonly faults: readonly string[];
  /** Requests that the client sent to a second gateway. */
  readonly askedTwice: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface SteadyLoad {
  /** Requests started in a second, however long those before them take. */
  readonly perSecond: number;
  readonly paths: readonly string[];
  readonly get: (path: string) => Promise<FrontAnswer>;
}

/**
 * Starts requests at a constant rate, and counts the time of each from when it was due: a mesh that stands still is not spared the
 * requests that would have come meanwhile. Call what it returns to end it.
 */
export function steadyLoad({ perSecond, paths, get }: SteadyLoad): () => Promise<LoadReport> {
  const started = performance.now();
  const latencies: number[] = [];
  const faults: string[] = [];
  const open = new Set<Promise<void>>();
  let sent = 0;
  let askedTwice = 0;

  const one = async (path: string, dueAt: number): Promise<void> => {
    try {
      const answer = await get(path);
      if (answer.asked === 'twice') askedTwice++;
      const fault = faultOf(answer);
      if (fault !== undefined) faults.push(`${path}: ${fault}`);
    } catch (error) {
      faults.push(`${path}: ${String(error)}`);
    }
    latencies.push(performance.now() - dueAt);
  };
  const timer = setInterval(() => {
    for (; (sent * 1_000) / perSecond <= performance.now() - started; sent++) {
      const request = one(paths[sent % paths.length] ?? '/', started + (sent * 1_000) / perSecond);
      open.add(request);
      void request.finally(() => open.delete(request));
    }
  }, 5);

  return async () => {
    clearInterval(timer);
    await Promise.all(open);
    latencies.sort((a, b) => a - b);
    const at = (ratio: number): number => latencies[Math.ceil(latencies.length * ratio) - 1] ?? NaN;
    return { sent, faults, askedTwice, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  };
}

/** An answer that is not live is a fault, too: it came from a fallback. */
function faultOf({ status, body }: FrontAnswer): string | undefined {
  if (status !== 200) return `${status} ${body.slice(0, 200)}`;
  const { meta } = JSON.parse(body) as { meta?: { degraded?: boolean } };
  return meta?.degraded === true ? JSON.stringify(meta) : undefined;
}
