/** Evaluates a job as the function does when the queue takes its events. */
import { evaluateJob } from '../../functions/evaluate-policy/evaluate-job.ts'
import type { Verdict } from '../../shared/policy/evaluate.ts'

/** @returns the executed verdicts, after their jobs were sent */
export async function decide(...parameters: Parameters<typeof evaluateJob>): Promise<Verdict[]> {
  const { verdicts, sendJobs } = await evaluateJob(...parameters)
  await sendJobs()
  return verdicts
}
