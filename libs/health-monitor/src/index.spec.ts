import { expect, test } from '@jest/globals';
import * as healthMonitor from './index.ts';

test('exports what the README names', () => {
  expect(Object.keys(healthMonitor).sort()).toEqual([
    'AlertError',
    'AnomalyDetector',
    'HealthMonitor',
    'LatencySketch',
    'SelfHealth',
    'alertRule',
    'alertThresholds',
    'anomalyRule',
    'burnRateRules',
    'callbackSink',
    'degradedRule',
    'downRule',
    'fetchCheck',
    'flappingRule',
    'forecastRule',
    'healthOf',
    'isAlertError',
    'logSink',
    'memoryStore',
    'reaches',
    'serviceMonitor',
    'signWebhook',
    'slowerThanPeersRule',
    'statusCodeOf',
    'thresholdRule',
    'trendOf',
    'verifyWebhook',
    'webhookSink',
  ]);
});
