import { withHost, bodyLimit } from './control-routes.ts';
import type { Gate } from './gate.ts';
import { openStream } from './open-stream.ts';
import type { Registry } from './registry.ts';
import { noQuery, sessionBody } from './schemas.ts';
import type { SessionHub } from './session-hub.ts';
import type { TypedApp } from './typed-app.ts';

/** `POST /session`: a stream that an instance holds open. */
export function sessionRoute(app: TypedApp, registry: Registry, sessions: SessionHub, gate: Gate): void {
  app.post(
    '/session',
    {
      bodyLimit,
      onRequest: gate.hook('register'),
      schema: {
        summary: 'Hold a stream open that ends with the process',
        querystring: noQuery,
        body: sessionBody,
      },
    },
    (request, reply) => {
      const heartbeat = withHost(request.body, request);
      sessions.reserve();
      // Refuses while a refusal can still be an answer.
      registry.identify(heartbeat);
      const release = gate.openStream(request);
      const raw = openStream(reply);
      if (raw === undefined) {
        release();
        return;
      }
      raw.on('close', release);
      raw.on('close', sessions.open(raw, heartbeat));
    },
  );
}
