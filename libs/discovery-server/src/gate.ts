import { HttpProblem, isHttpProblem } from '@mesh/problem';
import { requestGuard } from '@mesh/request-guard';
import type { GuardOptions, RequestGuard } from '@mesh/request-guard';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Access } from './access.ts';
import type { AccessOptions, Scope } from './access.ts';
import type { AuditEvent, AuditListener } from './audit.ts';
import { Quota } from './quota.ts';
import type { QuotaOptions } from './quota.ts';

/** What a {@link Gate} is made of. */
export interface GateOptions {
  readonly guard?: GuardOptions | undefined;
  readonly access?: AccessOptions | undefined;
  readonly quota?: QuotaOptions | undefined;
  readonly onAudit?: AuditListener | undefined;
}

/** Spellings of `Host` that are remembered: names and ports of this server. */
const maximumHosts = 100;

type Hook = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void;

/** Decides before a body is read whether a request may pass: host and origin, token and scope, quota. */
export class Gate {
  readonly #guard: RequestGuard;
  readonly #access: Access;
  readonly #quota: Quota;
  readonly #onAudit: AuditListener | undefined;
  /** Values of `Host` that the guard has let pass. */
  readonly #usualHosts = new Set<string>();

  /** @throws RangeError naming the option that makes no sense. */
  constructor({ guard = {}, access = {}, quota, onAudit }: GateOptions) {
    const { token, ...pages } = guard;
    // Checks the token as well, so that its rules are the same wherever it is used.
    requestGuard(guard);
    this.#guard = requestGuard(pages);
    const all = { name: 'guard', scopes: ['read', 'register', 'admin'] } as const;
    const tokens = [...(token === undefined ? [] : [{ ...all, token }]), ...(access.tokens ?? [])];
    this.#access = new Access({ ...access, tokens });
    this.#quota = new Quota(quota);
    this.#onAudit = onAudit;
  }

  /** A hook for routes of this scope. */
  hook(scope: Scope): Hook {
    return (request, reply, done) => {
      try {
        this.#admit(request, scope);
        done();
      } catch (error) {
        if (!isHttpProblem(error)) throw error;
        if (error.code === 'ERR_UNAUTHORIZED') reply.header('www-authenticate', 'Bearer');
        this.audit(request, 'refused', `${request.method} ${request.url.split('?', 1)[0] ?? ''}`, error.code);
        done(error);
      }
    };
  }

  /** Counts a stream of the caller until the function it answers is called. */
  openStream(request: FastifyRequest): () => void {
    return this.#quota.openStream(this.#access.callerOf(request));
  }

  /** Tells who did what. */
  audit(request: FastifyRequest, action: AuditEvent['action'], target: string, detail?: string): void {
    if (this.#onAudit === undefined) return;
    const caller = this.#access.callerOf(request).name;
    const at = new Date().toISOString();
    try {
      this.#onAudit({ action, caller, target, at, ...(detail !== undefined && { detail }) });
    } catch {
      // A broken observer must not keep an instance from registering.
    }
  }

  #guardAgainstPages(request: FastifyRequest): void {
    const { host, origin } = request.headers;
    // Instances send no origin and always the same host, so that one look at it is enough.
    const isUsual = host !== undefined && origin === undefined;
    if (isUsual && this.#usualHosts.has(host)) return;
    const refusal = this.#guard(request);
    if (refusal !== undefined) throw new HttpProblem(refusal.code, refusal.detail);
    if (isUsual && this.#usualHosts.size < maximumHosts) this.#usualHosts.add(host);
  }

  #admit(request: FastifyRequest, scope: Scope): void {
    // Lookups change nothing, so a foreign page can do no harm by them: who may read them is CORS's.
    if (scope !== 'read') this.#guardAgainstPages(request);
    this.#quota.charge(this.#access.admit(request, scope));
  }
}
