/** What W3C Trace Context (3.3.1.5) asks every party to pass on at least, and what we pass on at most. */
const longest = 512;
const mostMembers = 32;
/** Members longer than this are the first to be dropped when the whole is too long. */
const longMember = 128;
/** More than that is not looked at: a header of this size is an attack or a fault. */
const readable = 16_384;

const member =
  /^[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * The part of a `tracestate` that is passed on: at most 512 characters and 32 members. When it is too long, members of more than
 * 128 characters go first, then the last ones; a member is never cut. Undefined when nothing is left, or when one member is
 * malformed: then W3C wants the whole header dropped.
 */
export function boundTraceState(text: string): string | undefined {
  if (text.length > readable) return undefined;
  let members = text
    .split(',')
    .map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((part) => part !== '');
  if (!members.every((part) => member.test(part))) return undefined;
  members = members.slice(0, mostMembers);
  if (members.join(',').length > longest) members = members.filter((part) => part.length <= longMember);
  while (members.join(',').length > longest) members.pop();
  return members.length === 0 ? undefined : members.join(',');
}
