export { LatencySketch } from './latency-sketch.ts';
