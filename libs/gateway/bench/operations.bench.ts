/** What it costs to count a request and to note it. No sockets. */
import { startTrace } from '@mesh/trace-context';
import { contest } from '../../../tools/contest.mts';
import type { Passage } from '../src/passage.ts';
import { Observation } from '../src/operations/observation.ts';
import { Overload } from '../src/operations/overload.ts';
import { RouteMetrics } from '../src/operations/route-metrics.ts';
import { TraceLog } from '../src/operations/trace-log.ts';

const instances = ['user-service-4000', 'user-service-4001', 'user-service-4002'];
const calls = instances.map((instance) => ({ instance, attempts: 1 }));
const [metrics, traces, overload] = [new RouteMetrics(), new TraceLog(), new Overload()];
const stage = overload.stage('normal');
let ends: (() => void) | undefined;
const passage = {
  request: { method: 'GET', raw: { url: '/api/users/1' } },
  reply: { raw: { headersSent: true, statusCode: 200 } },
  routeId: 'users',
  service: 'user-service',
  clientAddress: '127.0.0.1',
  trace: startTrace(),
  onEnd: (listener: () => void) => {
    ends = listener;
  },
} as unknown as Passage;

function contender(name: string, one: (at: number) => void) {
  return {
    name,
    run(iterations: number) {
      for (let at = 0; at < iterations; at++) one(at);
    },
  };
}

function end(): void {
  ends?.();
}

await contest('a request', [
  contender('a look at the clock', () => performance.now()),
  contender('RouteMetrics begin and end', (at) => {
    metrics.begin('users', 'user-service').end(200, at & 63, instances[at % 3]);
  }),
  contender('Overload in and out', () => {
    void stage(passage);
    end();
  }),
  contender('Observation: counted and noted', (at) => {
    const seen = new Observation(passage, { metrics, traces });
    passage.call = calls[at % 3];
    seen.answered();
    end();
  }),
]);
