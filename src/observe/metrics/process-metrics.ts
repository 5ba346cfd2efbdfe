/**
 * What the process uses, under OpenTelemetry's names for processes, V8 and Node.
 * @module
 */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { gauge, type Metric } from './instruments.ts';

const start: EventLoopUtilization = performance.eventLoopUtilization();

export function processMetrics(): Metric[] {
  const { user, system } = process.cpuUsage();
  const heap = getHeapStatistics();
  const { active, idle } = performance.eventLoopUtilization(start);
  const one = (name: string, unit: string, help: string, value: number): Metric =>
    gauge({ name, help, unit }, [{ value }]);
  return [
    {
      name: 'process.cpu.time',
      help: 'CPU time of the process.',
      unit: 's',
      type: 'counter',
      points: [
        { labels: { 'cpu.mode': 'user' }, value: user / 1e6 },
        { labels: { 'cpu.mode': 'system' }, value: system / 1e6 },
      ],
    },
    {
      name: 'nodejs.eventloop.time',
      help: 'Time that the event loop was active and idle.',
      unit: 's',
      type: 'counter',
      points: [
        { labels: { 'nodejs.eventloop.state': 'active' }, value: active / 1e3 },
        { labels: { 'nodejs.eventloop.state': 'idle' }, value: idle / 1e3 },
      ],
    },
    one('process.memory.usage', 'By', 'Resident memory of the process.', process.memoryUsage.rss()),
    one('v8js.memory.heap.used', 'By', 'Heap in use.', heap.used_heap_size),
    one('v8js.memory.heap.limit', 'By', 'Largest size that the heap may grow to.', heap.heap_size_limit),
    one('process.uptime', 's', 'Time since the process has started.', process.uptime()),
  ];
}
