import type { FastifyReply } from 'fastify';

/** A signal that aborts when the client goes away before its answer is out: for the calls that are made for it. */
export function goneSignal({ raw }: Pick<FastifyReply, 'raw'>): AbortSignal {
  const controller = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
