import type { RequestTarget } from './request-target.ts';

/** A path of the configuration, cut at its slashes: a text stands for itself, a segment `:name` for any one that is not empty. */
export interface PathPattern {
  /** `prefix`: what begins so, on whole segments. `exact`: this path and no other. */
  readonly kind: 'prefix' | 'exact';
  readonly segments: readonly string[];
}

const literal = "[\\w.~!$&'()+,;=@-]+";
const prefixShape = new RegExp(`^(?:/|(?:/(?:${literal}|:\\w+))+)$`);
const pathShape = new RegExp(`^(?:/|(?:/(?:${literal}|:\\w+))+/?)$`);
const dots = /\/\.{1,2}(?:[/;]|$)/;

/** What a prefix looks like; for messages. */
export const prefixForm = 'must look like "/shop" or "/shops/:shop", without a slash at the end';

/** What a whole path looks like; for messages. */
export const pathForm = 'must look like "/shop/items/:id"';

/** Whether a text is a prefix: `/`, or segments that are plain or `:name`, with no slash at the end. */
export function isPrefix(text: string): boolean {
  return prefixShape.test(text) && !dots.test(text);
}

/** Whether a text is a path pattern: as a prefix, and a slash at the end means one. */
export function isPath(text: string): boolean {
  return pathShape.test(text) && !dots.test(text);
}

/** Reads what {@link isPrefix} or {@link isPath} has passed. */
export function readPattern(kind: PathPattern['kind'], text: string): PathPattern {
  return { kind, segments: kind === 'prefix' && text === '/' ? [] : text.slice(1).split('/') };
}

/** Whether a segment of a pattern is `:name`. */
export function isParameter(segment: string): boolean {
  return segment.startsWith(':');
}

/** What is left of the raw path behind its first segments. A `/` is never escaped away: both copies have the same segments. */
export function afterSegments({ path }: RequestTarget, count: number): string {
  let at = 0;
  for (let passed = 0; passed < count; passed++) {
    at = path.indexOf('/', at + 1);
    if (at === -1) return '';
  }
  return path.slice(at);
}

/**
 * The path for the instance. `rewrite` takes the place of what the pattern matched (`/` of a prefix: nothing does), its `:names` become
 * the segments that the pattern's have matched, byte for byte; without one the path stays as it is.
 */
export function rewritePath(
  pattern: PathPattern,
  rewrite: string | undefined,
  target: RequestTarget,
): string {
  if (rewrite === undefined) return target.path;
  const filled = rewrite.includes('/:') ? fill(pattern, rewrite, target) : rewrite;
  if (pattern.kind === 'exact') return filled;
  const path = (filled === '/' ? '' : filled) + afterSegments(target, pattern.segments.length);
  return path === '' ? '/' : path;
}

/** The names of a pattern's segments, without their colons. */
export function parametersOf(pattern: PathPattern): string[] {
  return pattern.segments.filter(isParameter).map((segment) => segment.slice(1));
}

function fill({ segments }: PathPattern, rewrite: string, { path }: RequestTarget): string {
  const values = path.split('/');
  return rewrite
    .split('/')
    .map((part) => (isParameter(part) ? (values[segments.indexOf(part) + 1] ?? '') : part))
    .join('/');
}
