export type { SavedAlerts } from './alert-book.ts';
export { AlertError, isAlertError, type AlertErrorCode } from './alert-error.ts';
export { memoryStore, type AlertStore } from './alert-store.ts';
export { alertThresholds, type AlertThresholds } from './alert-thresholds.ts';
export type { Acknowledgement, ActiveAlert, Alert, Resolution, ResolvedAlert } from './alert.ts';
export { AnomalyDetector, type AnomalyOptions, type AnomalyView, type DetectorName } from './anomaly.ts';
export { burnRateRules, type BurnRateOptions } from './burn-rate.ts';
export type { Check, CheckResult, CheckStatus } from './check.ts';
export type { Clock, Timers } from './clock.ts';
export type { DependencyCheck, DependencyProbe, DependencyReport, ProbeKind } from './dependency.ts';
export type { MonitorEventName, MonitorEvents } from './events.ts';
export {
  fetchCheck,
  healthOf,
  type FetchCheckOptions,
  type HealthFetch,
  type HealthResponse,
} from './fetch-check.ts';
export type { LatencySummary, LatencyWindow } from './latency-series.ts';
export { LatencySketch } from './latency-sketch.ts';
export { logSink, type Logger } from './log-sink.ts';
export type { Maintenance } from './maintenance.ts';
export type { Matcher } from './matcher.ts';
export { HealthMonitor, type PassiveSample } from './monitor.ts';
export type { Notice, NoticeItem } from './notice.ts';
export type { NoticeOptions } from './notices.ts';
export type { HealthMonitorOptions } from './options.ts';
export type { Outcomes, Window } from './outcome-series.ts';
export type { ProberHealth } from './prober.ts';
export { alertRule, type AlertRule, type Escalation, type Judgement, type RuleOptions } from './rule.ts';
export {
  SelfHealth,
  statusCodeOf,
  type SelfHealthOptions,
  type SelfReport,
  type SelfStatus,
} from './self-health.ts';
export {
  serviceMonitor,
  type HealthMetrics,
  type MonitoredService,
  type ServiceHealth,
  type ServiceMonitorOptions,
} from './service-monitor.ts';
export type { Severity } from './severity.ts';
export type { AbortSignalLike, CheckSignal } from './signal.ts';
export type { Silence } from './silence.ts';
export { callbackSink, type Sink } from './sink.ts';
export type { TargetStatus } from './standing.ts';
export { degradedRule, downRule, flappingRule } from './status-rule.ts';
export type { TargetView } from './target-view.ts';
export type { Target } from './target.ts';
export { thresholdRule, type Threshold, type ThresholdRuleOptions } from './threshold-rule.ts';
export type { Timing } from './timing.ts';
export {
  anomalyRule,
  forecastRule,
  slowerThanPeersRule,
  type ForecastOptions,
  type TrendMetric,
} from './trend-rules.ts';
export { reaches, trendOf, type Point, type Trend } from './trend.ts';
export {
  signWebhook,
  verifyWebhook,
  webhookSink,
  type VerifyOptions,
  type WebhookFetch,
  type WebhookOptions,
  type WebhookResponse,
} from './webhook.ts';
