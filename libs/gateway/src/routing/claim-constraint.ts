import type { FastifyInstance } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { Claim } from './live-routes.ts';
import type { MatchRequest } from './match-request.ts';
import { readTarget } from './request-target.ts';

const claimKey = Symbol('claim');

type ClaimedMessage = IncomingMessage & { [claimKey]?: Claim | undefined };

/** What is claimed: `cors`, when the app's own rules of CORS do not hold for it. */
export type ClaimKind = 'plain' | 'cors';

/**
 * Makes a route of Fastify match only what a table of ours claims, of one kind or the other. Fastify's own routes cannot change once it listens; so there is one for
 * everything, and this constraint on it. What is not claimed is for Fastify as if the gateway were not there: its 404, its 405, its hooks.
 */
export function claimConstraint(
  app: FastifyInstance,
  claim: (request: MatchRequest) => Claim | undefined,
): (kind: ClaimKind) => Record<string, ClaimKind> {
  // find-my-way writes code with it, so it must be an identifier.
  let name = 'meshGateway';
  while (app.hasConstraintStrategy(name)) name += '_';
  app.addConstraintStrategy({
    name,
    storage: () => new KindHandlers() as never,
    deriveConstraint: (message: IncomingMessage) => {
      const { method = '', url = '', rawHeaders } = message;
      const found = claim({ method, target: readTarget(url), rawHeaders });
      // Kept with the request: it stays with the table it was found in, whatever happens while hooks wait.
      if (found !== undefined) (message as ClaimedMessage)[claimKey] = found;
      return found && kindOf(found);
    },
    validate: () => undefined,
  } as never);
  return (kind) => ({ [name]: kind });
}

function kindOf(claim: Claim): ClaimKind {
  return 'preflight' in claim || ('lane' in claim && claim.lane.cors !== undefined) ? 'cors' : 'plain';
}

/** What was claimed for a request. */
export function claimOf(message: IncomingMessage): Claim | undefined {
  return (message as ClaimedMessage)[claimKey];
}

/** find-my-way's storage for the values of a constraint: a handler for each kind. */
class KindHandlers {
  readonly #handlers = new Map<unknown, unknown>();

  get(kind: unknown): unknown {
    return this.#handlers.get(kind) ?? null;
  }

  set(kind: unknown, handler: unknown): void {
    this.#handlers.set(kind, handler);
  }
}
