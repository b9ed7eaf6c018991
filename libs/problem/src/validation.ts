import type { FieldError } from './http-problem.ts';

/** The most faults that one answer lists. */
const maxErrors = 100;

/** One entry of `.validation` as Fastify's ajv and fastify-type-provider-zod write it. */
interface ValidationIssue {
  readonly instancePath?: unknown;
  readonly message?: unknown;
  readonly params?: {
    readonly missingProperty?: unknown;
    readonly additionalProperty?: unknown;
    readonly keys?: unknown;
  };
}

/**
 * Reads the faults from an error of Fastify's validation, or answers `undefined` when it is none.
 * A missing or an unknown field is named by its own path, which ajv and zod only say in `params`.
 */
export function readValidation(error: {
  readonly code?: unknown;
  readonly validation?: unknown;
  readonly validationContext?: unknown;
}): readonly FieldError[] | undefined {
  const { code, validation, validationContext } = error;
  if (!Array.isArray(validation)) return undefined;
  if (code !== 'FST_ERR_VALIDATION' && typeof validationContext !== 'string') return undefined;
  const part = partOf(validationContext);
  const issues = validation.slice(0, maxErrors) as readonly (ValidationIssue | undefined)[];
  const errors = issues.flatMap((issue) =>
    pathsOf(issue).map((path) => ({ path: part + path, message: messageOf(issue) })),
  );
  return errors.slice(0, maxErrors);
}

/** Fastify says `querystring`; everybody else says query. */
function partOf(context: unknown): string {
  if (typeof context !== 'string') return 'request';
  return context === 'querystring' ? 'query' : context;
}

function pathsOf(issue: ValidationIssue | undefined): readonly string[] {
  const path = typeof issue?.instancePath === 'string' ? issue.instancePath : '';
  const base = path.endsWith('/') ? path.slice(0, -1) : path;
  const { missingProperty, additionalProperty, keys } = issue?.params ?? {};
  const names = [missingProperty, additionalProperty, ...(Array.isArray(keys) ? (keys as unknown[]) : [])];
  const fields = names.filter((name) => typeof name === 'string');
  return fields.length === 0 ? [base] : fields.map((name) => `${base}/${name}`);
}

function messageOf(issue: ValidationIssue | undefined): string {
  return typeof issue?.message === 'string' && issue.message !== '' ? issue.message : 'is not valid';
}
