export { statusByCode } from './codes.ts';
export { HttpProblem, isHttpProblem, type FieldError, type HttpProblemOptions } from './http-problem.ts';
export { problemHeaders, toProblem, type ProblemDetails } from './problem.ts';
export { notFound, sendProblem, type ProblemReply, type ProblemRequest } from './reply.ts';
