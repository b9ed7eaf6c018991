import { HttpProblem } from './http-problem.ts';
import { problemHeaders, toProblem } from './problem.ts';

/** The part of a Fastify request that is read here. */
export interface ProblemRequest {
  readonly url: string;
  readonly method?: string;
  /** A logger in pino's shape; gets the errors whose message the answer hides. */
  readonly log?: { error(details: { err: unknown }, message: string): void };
}

/** The part of a Fastify reply that is used here. */
export interface ProblemReply {
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  /** Gets one string. Its parameters are left open, because Fastify types them by the route. */
  send(...body: never): unknown;
}

/**
 * Answers with the problem of an error; fits `app.setErrorHandler(sendProblem)`. What the answer hides (500), the request's own
 * logger gets, as with Fastify's default handler.
 *
 * @returns the reply, as Fastify's handlers may.
 */
export function sendProblem(error: unknown, request: ProblemRequest, reply: ProblemReply): unknown {
  const problem = toProblem(error, request.url);
  if (problem.status === 500) request.log?.error({ err: error }, 'request failed');
  reply.code(problem.status);
  reply.headers(problemHeaders(problem));
  // Already text: an object would go through the route's response schema, which knows nothing of problems.
  (reply as { send(body: string): unknown }).send(JSON.stringify(problem));
  return reply;
}

/** Answers 404 `ERR_NOT_FOUND`; fits `app.setNotFoundHandler(notFound)`. */
export function notFound(request: ProblemRequest, reply: ProblemReply): unknown {
  return sendProblem(
    new HttpProblem('ERR_NOT_FOUND', 'No route answers this method and path.'),
    request,
    reply,
  );
}
