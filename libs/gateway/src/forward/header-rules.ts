import { isHopByHop, isMeshOwned } from './hop-headers.ts';

/** What happens to a field of a request. Everything but `keep` and `drop` is read on the way. */
export type RequestRule =
  | 'keep'
  | 'drop'
  | 'accept'
  | 'authority'
  | 'connection'
  | 'encoding'
  | 'expect'
  | 'forwarded'
  | 'forwarded-for'
  | 'host'
  | 'length'
  | 'te'
  | 'via';

/** What happens to a field of an answer. */
export type AnswerRule = 'keep' | 'drop' | 'connection' | 'encoding' | 'instance' | 'trailer';

const requestRules: ReadonlyMap<string, RequestRule> = new Map<string, RequestRule>([
  ['accept', 'accept'],
  ['connection', 'connection'],
  ['content-length', 'length'],
  ['expect', 'expect'],
  ['forwarded', 'forwarded'],
  ['x-forwarded-for', 'forwarded-for'],
  // What HTTP/2 has in the place of Host.
  [':authority', 'authority'],
  ['host', 'host'],
  ['te', 'te'],
  ['transfer-encoding', 'encoding'],
  ['via', 'via'],
]);

/** Names (as they come, in any case) that are remembered with their rules; more than any honest traffic has. */
const maxNames = 1_000;

/** A rule for each name, looked up by the name as it came: folding its case costs more than all that follows. */
function remembered<Rule>(ruleOf: (name: string) => Rule): (name: string) => Rule {
  const rules = new Map<string, Rule>();
  return (name) => {
    const known = rules.get(name);
    if (known !== undefined) return known;
    const rule = ruleOf(name.toLowerCase());
    // Made-up names may push the honest ones out for a moment, never grow the map.
    if (rules.size >= maxNames) rules.clear();
    if (name.length <= 64) rules.set(name, rule);
    return rule;
  };
}

/** The rule for a field of a request, by its name as it came. */
export const requestRule = remembered<RequestRule>((name) => {
  const rule = requestRules.get(name);
  if (rule !== undefined) return rule;
  if (name.startsWith('x-forwarded-')) return name.includes('_') ? 'drop' : 'forwarded';
  // Some servers fold "_" to "-", so a name with one may be read as a name that only the mesh writes.
  const isOurs = name.startsWith(':') || name.includes('_') || isHopByHop(name) || isMeshOwned(name);
  return isOurs ? 'drop' : 'keep';
});

/** The rule for a field of an answer, by its name as it came. */
export const answerRule = remembered<AnswerRule>((name) => {
  if (name === 'connection' || name === 'trailer') return name;
  if (name === 'x-instance') return 'instance';
  if (name === 'transfer-encoding') return 'encoding';
  return isHopByHop(name) ? 'drop' : 'keep';
});
