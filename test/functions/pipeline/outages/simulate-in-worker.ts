/**
 * Simulates in a thread of its own: several can run at the same time, and a thread is free of the test runner's hooks,
 * which double the cost of each promise.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import type { Outage } from './schedule.ts'
import { type Load, type Result, simulate } from './simulate.ts'

export interface Task {
  outages: readonly Outage[]
  load: Load
}

if (workerData?.tasks) {
  const results: Result[] = []
  for (const { outages, load } of workerData.tasks as Task[]) results.push(await simulate(outages, load))
  parentPort?.postMessage(results)
}

/** @returns the results in the order of the tasks */
export function simulateInWorker(tasks: readonly Task[]): Promise<Result[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { tasks } })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}
