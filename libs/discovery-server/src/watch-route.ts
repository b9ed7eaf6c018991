import type { Gate } from './gate.ts';
import { openStream } from './open-stream.ts';
import { watchQuery } from './schemas.ts';
import type { TypedApp } from './typed-app.ts';
import type { WatchHub } from './watch-hub.ts';

/** `GET /watch`: server-sent events. */
export function watchRoute(app: TypedApp, hub: WatchHub, gate: Gate): void {
  app.get(
    '/watch',
    {
      exposeHeadRoute: false,
      onRequest: gate.hook('read'),
      schema: { summary: 'Changes as server-sent events', querystring: watchQuery },
    },
    (request, reply) => {
      hub.reserve();
      const lastEventId = request.headers['last-event-id'];
      const release = gate.openStream(request);
      const raw = openStream(reply);
      if (raw === undefined) {
        release();
        return;
      }
      raw.on('close', release);
      const watch = {
        services: request.query.services,
        namespace: request.query.namespace,
        view: request.query.status === 'any' ? ('any' as const) : ('listed' as const),
        lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
      };
      raw.on('close', hub.open(raw, watch));
    },
  );
}
