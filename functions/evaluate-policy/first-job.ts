import type { EvaluationJob } from '../../shared/contract/jobs.ts'

/**
 * True for the first job of a message, which needs no progress check and no mark. If the first job runs twice, the
 * claim of the attempt prevents a second delivery.
 */
export const isFirstJob = ({ notBefore, recipients }: EvaluationJob): boolean =>
  notBefore === null && recipients.every(({ attempts }) => attempts === 0)
