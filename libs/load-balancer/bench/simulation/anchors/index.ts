import type { Contender } from '../balancer.ts';
import { goZero } from './go-zero.ts';
import { kratos } from './kratos.ts';
import { leastRequests } from './least-requests.ts';
import { finagle, linkerd } from './peak-ewma.ts';
import { roundRobin } from './round-robin.ts';

/** The field: written anew from the published formulas, none of their code. */
export const anchors: readonly Contender[] = [roundRobin, leastRequests, finagle, linkerd, goZero, kratos];
