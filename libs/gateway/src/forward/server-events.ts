import type { FastifyInstance } from 'fastify';

type Server = FastifyInstance['server'];
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each event has arguments of its own
type Listener = (this: Server, ...values: any[]) => void;

/**
 * Becomes the one listener of an event of a server, once the app is ready; `listener` is handed those who listened before. An event has no
 * way to say that it is taken, so who comes last has to ask the others.
 */
export function takeEvent(
  app: FastifyInstance,
  event: 'upgrade' | 'checkContinue',
  listenerBefore: (others: readonly Listener[]) => Listener,
): void {
  const { server } = app;
  let listener: Listener | undefined;
  app.addHook('onReady', (done) => {
    const others = server.listeners(event) as Listener[];
    server.removeAllListeners(event);
    listener = listenerBefore(others);
    server.on(event, listener);
    done();
  });
  app.addHook('onClose', (_app, done) => {
    if (listener !== undefined) server.off(event, listener);
    done();
  });
}
